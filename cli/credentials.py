"""`pigou credentials`: who may send, read and act once somebody is named."""

from __future__ import annotations

import getpass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption, TenantOption, WhoOption, parse_moment
from cli.tenants import tell_new
from cli.terminal import remark, say

credentials_app = typer.Typer(
    name="credentials", help="Who may send, read and act, once somebody is named.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the credential is called.")]


class RightName(StrEnum):
    """What a credential may do."""

    INGEST = "ingest"
    READ = "read"
    OPERATE = "operate"


@credentials_app.command("create")
def create_credential(
    name: NameArgument,
    home: HomeOption = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", envvar="PIGOU_TENANT", metavar="NAME", help="For this tenant alone; else for all.")
    ] = None,
    may: Annotated[
        list[RightName] | None, typer.Option("--may", help="What it may do; repeatable, by default only ingest.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", parser=parse_moment, metavar="TIME", help="How long it is valid; else until it is revoked."),
    ] = None,
    who: WhoOption = None,
) -> None:
    """Make a credential and print its token, once. From the first on, nobody is answered without one."""
    from ledger import credentials

    rights: list[credentials.Right] = [right for right in credentials.RIGHTS if right in (may or [RightName.INGEST])]
    with open_database("owner", home) as books:
        tell_new(books, [tenant])
        is_first = not credentials.read_credentials(books).is_closed
        try:
            token = credentials.create(books, name, rights, tenant=tenant, valid_until=until, who=who or getpass.getuser())
        except credentials.CredentialError as error:
            raise CommandError(error.message, error.mend, exit_code=2) from error
    say(token)
    held = f"{name} may {' and '.join(rights)}, {f'for {tenant}' if tenant else 'for all tenants'}"
    remark(f"{held}, from some seconds on; the token is shown only now, only its hash is kept")
    if is_first:
        remark("it is the first: whoever sends, reads or looks at the page without one is refused from now on")


@credentials_app.command("list")
def list_credentials(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the credentials, revoked ones too; a tenant's with those for all."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        query = """
            select name, tenant, array_to_string(may, ' ') as may, state, valid_until, created_at, created_by,
                   revoked_at, revoked_by
              from ledger.credentials where %(tenant)s::text is null or tenant is null or tenant = %(tenant)s
             order by state = 'revoked', name, created_at"""
        write_cursor(books.execute(query, {"tenant": tenant}), chosen)


@credentials_app.command("revoke")
def revoke_credential(
    name: NameArgument,
    home: HomeOption = None,
    last: Annotated[
        bool, typer.Option("--last", help="Also when it is the last: then everybody who reaches a port may do everything.")
    ] = False,
    who: WhoOption = None,
) -> None:
    """Revoke a credential: within some seconds its token lets nobody in any more."""
    from ledger import credentials

    with open_database("owner", home) as books:
        try:
            is_closed = credentials.revoke(books, name, who=who or getpass.getuser(), is_last=last)
        except credentials.CredentialError as error:
            raise CommandError(error.message, error.mend, exit_code=2) from error
    say(f"{name}: revoked")
    if not is_closed:
        remark("it was the last: everybody who reaches a port may do everything again")
