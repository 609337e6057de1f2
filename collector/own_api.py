"""`GET /metrics`: what a collector counted of itself and how it is, as Prometheus scrapes it (docs/watching.md)."""

from __future__ import annotations

from fastapi import Response
from fastapi.routing import APIRouter

from collector.bounded_route import bounded_route
from collector.door import for_all_tenants
from collector.own_metrics import CONTENT_TYPE
from collector.pipeline import Pipeline


def own_router(pipeline: Pipeline) -> APIRouter:
    """The route."""
    router = APIRouter(route_class=bounded_route(limit_bytes=0))

    @router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}})
    def metrics() -> Response:
        """Counts of all tenants' exports, and what waits, in Prometheus' text format."""
        for_all_tenants("these are counts of all tenants")
        return Response(pipeline.own_text(), media_type=CONTENT_TYPE)

    return router
