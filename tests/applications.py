"""The collector's HTTP application, made once for an address: making it takes a tenth of a second, and tests start hundreds."""

from __future__ import annotations

from typing import cast

from fastapi import FastAPI

from collector.app import build_app
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings


class Current:
    """The pipeline that is served now, by an application that outlives it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def __getattr__(self, name: str) -> object:
        return getattr(self.pipeline, name)


_kept: dict[tuple[str, str, int], tuple[FastAPI, Current]] = {}


def application(pipeline: Pipeline, settings: CollectorSettings) -> FastAPI:
    """One over this pipeline."""
    key = settings.dsn, settings.default_tenant, settings.body_limit_bytes
    if key not in _kept:
        current = Current(pipeline)
        _kept[key] = build_app(cast(Pipeline, current), settings), current
    app, current = _kept[key]
    current.pipeline = pipeline
    return app
