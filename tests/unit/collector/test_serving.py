"""How the collector's HTTP side is served."""

from __future__ import annotations

from fastapi import FastAPI

from collector.__main__ import http_config
from collector.settings import CollectorSettings


def test_a_connection_outlives_the_pauses_between_exports() -> None:
    every_s = {"OTEL_BSP_SCHEDULE_DELAY": 5, "OTEL_METRIC_EXPORT_INTERVAL": 60}  # OpenTelemetry's defaults
    assert http_config(FastAPI(), CollectorSettings("")).timeout_keep_alive > max(every_s.values())
