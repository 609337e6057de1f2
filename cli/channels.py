"""`pigou channels`: who is told of alerts, and whether they were."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.known import refuse_unheard, words
from cli.options import Format, FormatOption, HomeOption, NewTenantOption, TenantOption, WhoOption, stated_by
from cli.tenants import refuse_slips, refuse_unknown
from cli.terminal import say

channels_app = typer.Typer(name="channels", help="Who is told of alerts, and whether they were.", no_args_is_help=True)

ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.")]
_TEST_WITHIN_S = 15.0
_CHANNELS = "select distinct channel from ledger.channel_revisions order by channel"


@channels_app.command("import")
def import_channels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML; docs/alerts.md shows one.")],
    home: HomeOption = None,
    new_tenant: NewTenantOption = False,
    who: WhoOption = None,
) -> None:
    """State all channels of a file, or none. Nothing is edited: a change is a further revision; those not named stay."""
    from analyzers.delivery.channel_files import read_channels
    from ledger.stated_channels import state_channels

    with _refusals():
        channels = read_channels(file)
        with open_database("writer", home) as books:
            refuse_slips(books, (name for each in channels for name in (each.tenant, *(each.tenants or ()))), is_meant=new_tenant)
            stated = state_channels(books, channels, stated_by(who, f"pigou channels import {file.name}"))
    say(f"channels: {stated.added} added, {stated.changed} changed, {stated.unchanged} as before")


@channels_app.command("list")
def list_channels(home: HomeOption = None, tenant: TenantOption = None, chosen: FormatOption = Format.TABLE) -> None:
    """List the channels, how delivery through each goes, and what waits. A tenant's are shown with those of all."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        query = """
            select tenant, channel, kind, state, failing_since, failures, last_error, last_sent_at, waiting, oldest_at, dead,
                   severity_min, rules, tenants, escalate_after, revision
              from ledger.channels where %(tenant)s::text is null or tenant is null or tenant = %(tenant)s
             order by tenant nulls first, channel"""
        write_cursor(books.execute(query, {"tenant": tenant}), chosen)


@channels_app.command("deliveries")
def list_deliveries(
    home: HomeOption = None,
    tenant: TenantOption = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Through this channel only.")] = None,
    every: Annotated[bool, typer.Option("--all", help="With those that were sent.")] = False,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """List what waits to be told, is withheld, was given up or dropped; newest last."""
    from cli.rows import write_cursor

    with open_database("reader", home) as books:
        refuse_unknown(books, tenant)
        if channel is not None:
            refuse_unheard("--channel", channel, words(books, _CHANNELS))
        query = """
            select tenant, alert_id, rule, subject, event, channel, state, made_at, attempts, tried_at, next_at, settled_at,
                   answer
              from ledger.deliveries
             where (%(tenant)s::text is null or tenant = %(tenant)s) and (%(channel)s::text is null or channel = %(channel)s)
               and (%(every)s or state <> 'sent')
             order by made_at, tenant, alert_id, event_id, channel"""
        write_cursor(books.execute(query, {"tenant": tenant, "channel": channel, "every": every}), chosen)


@channels_app.command("test")
def try_channel(channel: ChannelArgument, home: HomeOption = None, tenant: TenantOption = None) -> None:
    """Send a test message through a channel, at once and from here: its secrets are read where this command runs."""
    import asyncio

    from analyzers.delivery.message import trial
    from analyzers.delivery.outbox import installation
    from analyzers.delivery.send import send
    from ledger.stated_channels import find_channel

    with _refusals(), open_database("writer", home) as books:
        _, found = find_channel(books, channel, tenant)
        message = trial(tenant or "all tenants", installation(books))
    outcome = asyncio.run(send(found, message, dict(os.environ), _TEST_WITHIN_S))
    if outcome.result != "sent":
        raise CommandError(f"channel {channel} did not take the test: {outcome.answer}", "mend that, or import the channel anew")
    say(f"channel {channel} took the test: {outcome.answer}")


@channels_app.command("pause")
def pause(channel: ChannelArgument, home: HomeOption = None, tenant: TenantOption = None, who: WhoOption = None) -> None:
    """Tell nothing through a channel of what happens from now on, until it is resumed. What waits for it, waits on."""
    _pause(channel, home, tenant, who, is_paused=True)


@channels_app.command("resume")
def resume(channel: ChannelArgument, home: HomeOption = None, tenant: TenantOption = None, who: WhoOption = None) -> None:
    """Tell through a channel again."""
    _pause(channel, home, tenant, who, is_paused=False)


def _pause(channel: str, home: Path | None, tenant: str | None, who: str | None, *, is_paused: bool) -> None:
    from ledger.stated_channels import pause_channel

    word = "paused" if is_paused else "resumed"
    with _refusals(), open_database("writer", home) as books:
        source = stated_by(who, f"pigou channels {'pause' if is_paused else 'resume'}")
        pause_channel(books, channel, tenant, source, is_paused=is_paused)
    say(f"channel {channel} of {tenant or 'all tenants'} {word}")


@channels_app.command("resend")
def resend(channel: ChannelArgument, home: HomeOption = None, tenant: TenantOption = None, who: WhoOption = None) -> None:
    """Send what was given up through a channel after all, from now on."""
    from ledger.stated_channels import send_again

    with _refusals(), open_database("writer", home) as books:
        events = send_again(books, channel, tenant, stated_by(who, "pigou channels resend"))
    say(f"channel {channel} of {tenant or 'all tenants'}: {events} events that were given up wait again")


@channels_app.command("remove")
def remove(channel: ChannelArgument, home: HomeOption = None, tenant: TenantOption = None, who: WhoOption = None) -> None:
    """Tell nothing through a channel any more. What waits for it is dropped, and said to be."""
    from ledger.stated_channels import remove_channel

    with _refusals(), open_database("writer", home) as books:
        remove_channel(books, channel, tenant, stated_by(who, "pigou channels remove"))
    say(f"channel {channel} of {tenant or 'all tenants'} removed")


@contextmanager
def _refusals() -> Generator[None]:
    """A channel that cannot be as stated is the caller's to mend: exit 2."""
    from ledger.channels import ChannelError

    try:
        yield
    except ChannelError as error:
        raise CommandError(error.message, error.mend, exit_code=2) from error
