"""Channels over HTTP: who is told of alerts.

    GET  /v1/channels                         those in force, with how delivery goes
    POST /v1/channels/{channel}               state one: add it, or change it by a further revision
    POST /v1/channels/{channel}/pause         tell nothing of what happens until it is resumed
    POST /v1/channels/{channel}/resume
    POST /v1/channels/{channel}/remove        tell nothing through it any more; what waits is dropped
    POST /v1/channels/{channel}/test          ask whoever delivers to send a test
    GET  /v1/channels/{channel}/tests/{id}    what came of it

They go through `ledger/channels.py` and `ledger/stated_channels.py`, as the command line does. Secrets are neither taken nor
told: a channel says where they are read from. Since it may say any place of this installation, a tenant's credential states none;
it sees its tenant's own, and acts on them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from collector.asked import NUMBER_MAX, PROBLEMS, Asking, Name, NewTenant, Someone, refuse_slips, refuse_unheard
from collector.door import asking, for_all_tenants, whose
from collector.faults import NO_NUL
from ledger import stated_channels
from ledger.channels import ChannelError, UnknownChannel, read_channel
from ledger.tenants import DEFAULT_TENANT

ChannelName = Annotated[str, Path(pattern=NO_NUL, max_length=200, description="The channel's name.")]


class ChannelAnswer(BaseModel):
    """A channel in force, as `ledger.channels` has it; `tenant` null: it hears of all, or of those in `tenants`."""

    tenant: str | None
    channel: str
    kind: Literal["webhook", "slack", "email", "alertmanager", "otlp"]
    revision: int
    settings: dict[str, Any]
    rules: list[str] | None
    tenants: list[str] | None
    severity_min: Literal["info", "warning", "critical"]
    escalate_after: timedelta | None
    group_for: timedelta
    give_up_after: timedelta
    state: Literal["paused", "failing", "not yet used", "working"]
    failing_since: datetime | None
    failures: int
    last_error: str | None
    last_error_at: datetime | None
    last_sent_at: datetime | None
    next_at: datetime | None
    waiting: int
    oldest_at: datetime | None
    dead: int
    source: str
    recorded_at: datetime
    is_paused: bool


class ChannelsAnswer(BaseModel):
    """Channels, those of all tenants first."""

    channels: list[ChannelAnswer]


class ChannelTestAnswer(BaseModel):
    """A test; `result` is null until it is over. What was answered is the receiver's word, or the network's."""

    tenant: str | None
    channel: str
    test_id: int
    who: str
    asked_at: datetime
    answered_at: datetime | None
    result: Literal["sent", "failed", "refused", "lost"] | None
    answer: str | None


class ChannelActRequest(Someone):
    """Who does it, to whose channel; `tenant` null: to one of all tenants."""


class ChannelRequest(Someone):
    """Who states which channel."""

    new_tenant: NewTenant = False
    channel: dict[str, Any] = Field(description="As a file of channels has it, without name and tenant: kind, url, …")


def channel_router(dsn: str, default_tenant: str = DEFAULT_TENANT) -> APIRouter:
    """The routes of channels over a database."""
    ask = Asking(dsn, application="pigou-channels", refusals={UnknownChannel: 404, ChannelError: 409}, of_field=422)
    router = ask.router("/v1/channels", "channels")

    def listed(connection: psycopg.Connection, tenant: str | None) -> ChannelsAnswer:
        found = stated_channels.list_channels(connection, tenant)
        return ChannelsAnswer(channels=[ChannelAnswer(**row) for row in found if asking().tenant in (None, row["tenant"])])

    @router.get("", responses={404: {}, 503: {}})
    async def list_channels(
        tenant: Annotated[Name | None, Query(description="A tenant's with those of all; by default every one.")] = None,
    ) -> ChannelsAnswer:
        """List the channels in force, and how delivery through each goes."""
        owner = whose(tenant, None)

        def work(connection: psycopg.Connection) -> ChannelsAnswer:
            refuse_unheard(connection, owner, default_tenant)
            return listed(connection, owner)

        return await ask(work)

    @router.post("/{channel}", responses=PROBLEMS)
    async def state_channel(channel: ChannelName, asked: ChannelRequest) -> ChannelsAnswer:
        """State a channel. Nothing is edited: a change is a further revision, and what waits is tried anew."""
        for_all_tenants("a channel names where secrets of the installation are read from")

        def work(connection: psycopg.Connection) -> ChannelsAnswer:
            stated = read_channel({**asked.channel, "name": channel, "tenant": asked.tenant})
            named = [stated.tenant, *(stated.tenants or ())]
            refuse_slips(connection, named, default_tenant, is_meant=asked.new_tenant)
            stated_channels.state_channels(connection, [stated], _source(asked))
            return listed(connection, asked.tenant)

        return await ask(work)

    _add_acts(router, ask, listed)
    _add_tests(router, ask)
    return router


def _add_acts(router: APIRouter, ask: Asking, listed: Any) -> None:
    @router.post("/{channel}/pause", responses=PROBLEMS)
    async def pause_channel(channel: ChannelName, asked: ChannelActRequest) -> ChannelsAnswer:
        """Tell nothing of what happens from now on; what waits, waits on."""
        return await done(channel, asked, is_paused=True)

    @router.post("/{channel}/resume", responses=PROBLEMS)
    async def resume_channel(channel: ChannelName, asked: ChannelActRequest) -> ChannelsAnswer:
        """Tell again of what happens."""
        return await done(channel, asked, is_paused=False)

    @router.post("/{channel}/resend", responses=PROBLEMS)
    async def resend(channel: ChannelName, asked: ChannelActRequest) -> ChannelsAnswer:
        """Send what was given up after all, from now on."""
        owner = whose(asked.tenant, None)

        def work(connection: psycopg.Connection) -> ChannelsAnswer:
            stated_channels.send_again(connection, channel, owner, _source(asked))
            return listed(connection, owner)

        return await ask(work)

    @router.post("/{channel}/remove", responses=PROBLEMS)
    async def remove_channel(channel: ChannelName, asked: ChannelActRequest) -> ChannelsAnswer:
        """Tell nothing through it any more; what waits is dropped, and said to be."""
        owner = whose(asked.tenant, None)

        def work(connection: psycopg.Connection) -> ChannelsAnswer:
            stated_channels.remove_channel(connection, channel, owner, _source(asked))
            return listed(connection, owner)

        return await ask(work)

    async def done(channel: str, asked: ChannelActRequest, *, is_paused: bool) -> ChannelsAnswer:
        owner = whose(asked.tenant, None)

        def work(connection: psycopg.Connection) -> ChannelsAnswer:
            stated_channels.pause_channel(connection, channel, owner, _source(asked), is_paused=is_paused)
            return listed(connection, owner)

        return await ask(work)


def _add_tests(router: APIRouter, ask: Asking) -> None:
    @router.post("/{channel}/test", responses=PROBLEMS, status_code=202)
    async def test_channel(channel: ChannelName, asked: ChannelActRequest) -> ChannelTestAnswer:
        """Ask whoever delivers to send a test at once, with the secrets that it has."""
        owner = whose(asked.tenant, None)

        def work(connection: psycopg.Connection) -> ChannelTestAnswer:
            number = stated_channels.ask_test(connection, channel, owner, asked.who)
            return ChannelTestAnswer(**stated_channels.show_test(connection, channel, owner, number))

        return await ask(work)

    @router.get("/{channel}/tests/{test_id}", responses={404: {}, 503: {}})
    async def show_test(
        channel: ChannelName,
        test_id: Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The test's number.")],
        tenant: Annotated[Name | None, Query(description="Whose channel; by default one of all tenants.")] = None,
    ) -> ChannelTestAnswer:
        """What came of a test."""
        owner = whose(tenant, None)

        def work(connection: psycopg.Connection) -> ChannelTestAnswer:
            return ChannelTestAnswer(**stated_channels.show_test(connection, channel, owner, test_id))

        return await ask(work)


def _source(asked: Someone) -> str:
    return f"{asked.who}, over HTTP"
