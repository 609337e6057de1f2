"""Saved views over HTTP: names for addresses of the page, shared by everybody of the installation.

GET  /v1/views                    all of them, by name
POST /v1/views                    save one
POST /v1/views/{view_id}/rename   call it something else
POST /v1/views/{view_id}/remove   list it no more

An address may name any tenant, so that no tenant's credential has them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import psycopg
from fastapi import Depends, Path
from fastapi.routing import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from collector.asked import NUMBER_MAX, PROBLEMS, Asking, Name
from collector.door import for_all_tenants
from collector.faults import NO_NUL
from ledger import saved_views

ViewId = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The view's number.")]
ViewName = Annotated[str, Field(pattern=NO_NUL, max_length=1000, description="1 to 80 characters.")]


class ViewAnswer(BaseModel):
    """A view as `ledger.saved_views` has it."""

    view_id: int
    name: str
    address: str
    who: str
    at: datetime
    made_by: str
    made_at: datetime


class ViewsAnswer(BaseModel):
    """All views, by name."""

    views: list[ViewAnswer]


class _Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    who: Name = Field(description="Who does it; kept with the view.")


class SaveViewRequest(_Person):
    """Which address is to be called what."""

    name: ViewName
    address: str = Field(pattern=NO_NUL, max_length=4000, description="Path and query of a page, such as /alerts?range=7d.")


class RenameViewRequest(_Person):
    """How it is to be called."""

    name: ViewName


class RemoveViewRequest(_Person):
    """Who removes it."""


async def _for_all() -> None:
    for_all_tenants("views are shared by all of the installation")


def view_router(dsn: str) -> APIRouter:
    """The routes of saved views over a database."""
    ask = Asking(dsn, application="pigou-views", refusals={saved_views.UnknownView: 404, saved_views.ViewError: 409})
    router = ask.router("/v1/views", "views")
    router.dependencies = [Depends(_for_all)]

    def listed(connection: psycopg.Connection) -> ViewsAnswer:
        return ViewsAnswer(views=[ViewAnswer(**row) for row in saved_views.list_views(connection)])

    @router.get("", responses={503: {}})
    async def list_views() -> ViewsAnswer:
        """List the views by name."""
        return await ask(listed)

    @router.post("", responses=PROBLEMS)
    async def save_view(asked: SaveViewRequest) -> ViewsAnswer:
        """Save a page with its filters, range and zone, as its address has them; answers all views."""

        def work(connection: psycopg.Connection) -> ViewsAnswer:
            saved_views.save_view(connection, asked.name, asked.address, asked.who)
            return listed(connection)

        return await ask(work)

    @router.post("/{view_id}/rename", responses=PROBLEMS)
    async def rename_view(view_id: ViewId, asked: RenameViewRequest) -> ViewsAnswer:
        """Call a view something else; answers all views."""

        def work(connection: psycopg.Connection) -> ViewsAnswer:
            saved_views.rename_view(connection, view_id, asked.name, asked.who)
            return listed(connection)

        return await ask(work)

    @router.post("/{view_id}/remove", responses=PROBLEMS)
    async def remove_view(view_id: ViewId, asked: RemoveViewRequest) -> ViewsAnswer:
        """List a view no more; answers the others."""

        def work(connection: psycopg.Connection) -> ViewsAnswer:
            saved_views.remove_view(connection, view_id, asked.who)
            return listed(connection)

        return await ask(work)

    return router
