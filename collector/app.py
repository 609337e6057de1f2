"""The collector's HTTP side: OTLP, the JSON API, and how the collector itself is."""

from __future__ import annotations

import asyncio
from functools import partial

import orjson
from fastapi import FastAPI, Response

from collector.alert_api import alert_router
from collector.budget_api import budget_router
from collector.channel_api import channel_router
from collector.clearing_api import clearing_router
from collector.door import Door, describe
from collector.finding_api import finding_router
from collector.maintenance_api import maintenance_router
from collector.nowhere import answer_nowhere
from collector.otlp_api import otlp_router, turned_away
from collector.outcome_api import outcome_router
from collector.own_api import own_router
from collector.pipeline import Pipeline
from collector.price_api import price_router
from collector.rate_api import rate_router
from collector.rule_api import rule_router
from collector.settings import CollectorSettings
from collector.view_api import view_router


def build_app(pipeline: Pipeline, settings: CollectorSettings) -> FastAPI:
    """The collector's HTTP side over a running pipeline."""
    app = FastAPI(title="Pigou collector", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.add_middleware(Door, pipeline=pipeline, write=partial(turned_away, pipeline))
    app.include_router(budget_router(settings.dsn, settings.default_tenant))
    app.include_router(outcome_router(settings.dsn, settings.default_tenant))
    app.include_router(price_router(settings.dsn, settings.default_tenant))
    app.include_router(clearing_router(settings.dsn))
    app.include_router(rate_router(settings.dsn, settings.default_tenant))
    app.include_router(alert_router(settings.dsn, settings.default_tenant))
    app.include_router(finding_router(settings.dsn, settings.default_tenant))
    app.include_router(rule_router(settings.dsn, settings.default_tenant))
    app.include_router(channel_router(settings.dsn, settings.default_tenant))
    app.include_router(maintenance_router(settings.dsn, settings.default_tenant))
    app.include_router(view_router(settings.dsn))
    app.include_router(own_router(pipeline))
    app.include_router(otlp_router(pipeline, settings.body_limit_bytes))

    @app.get("/health", responses={503: {"description": "Nothing is stored: the database is away, or a part of it has ended"}})
    async def health() -> Response:
        """Whether exports are being stored: 200, also while only the spool keeps them; or 503."""
        found = await asyncio.to_thread(pipeline.health)
        told = {"status": found.status, "reason": found.reason, "spool": found.spool and found.spool._asdict()}
        content = orjson.dumps({key: value for key, value in told.items() if value is not None})
        return Response(content, status_code=503 if found.status == "unavailable" else 200, media_type="application/json")

    describe(app)
    answer_nowhere(app)
    return app
