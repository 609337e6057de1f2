"""Runs Phoenix, in its own environment, with its gRPC receiver on loopback.

Phoenix has a setting for the address of its pages and OTLP over HTTP, but its gRPC receiver always listens on every
interface of the machine. Nothing else is changed; arguments are Phoenix's own.
"""

from __future__ import annotations

import runpy
from typing import Any

import grpc.aio

_EVERYWHERE = "[::]:"
_make_server = grpc.aio.server


def _server(*arguments: Any, **options: Any) -> Any:
    server = _make_server(*arguments, **options)
    add_port = server.add_insecure_port

    def add_port_on_loopback(address: str) -> int:
        return add_port(address.replace(_EVERYWHERE, "127.0.0.1:"))

    server.add_insecure_port = add_port_on_loopback
    return server


grpc.aio.server = _server
runpy.run_module("phoenix.server.main", run_name="__main__", alter_sys=True)
