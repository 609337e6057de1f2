"""OTLP over gRPC: the three export services, handed the message's bytes as they are so that nothing is decoded twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from collector import answers
from collector.export import Answer, Export, SignalSent
from collector.inbox import Overloaded
from collector.pipeline import Pipeline
from collector.settings import CollectorSettings
from ledger.credentials import Refused, bearer

_SERVICES: dict[str, SignalSent] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "span",
    "opentelemetry.proto.collector.logs.v1.LogsService": "log",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metric",
}
_Handler = Callable[[bytes, "grpc.aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]


async def start_grpc(pipeline: Pipeline, settings: CollectorSettings) -> tuple[grpc.aio.Server, int]:
    """Start the gRPC server; answers it and the port it listens on. Raises OSError when the port is taken."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.body_limit_bytes),
            ("grpc.so_reuseport", 0),
        ]
    )
    for service, signal in _SERVICES.items():
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_handler(pipeline, signal))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))
    try:
        port = server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise OSError(f"gRPC port {settings.grpc_port} on {settings.host} cannot be used: {error}") from error
    await server.start()
    return server, port


def _token(context: grpc.aio.ServicerContext[bytes, bytes]) -> str | None:
    """The token of the call's metadata; None where it has none."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return bearer(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    return None


def _handler(pipeline: Pipeline, signal: SignalSent) -> _Handler:
    async def export(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        found = pipeline.guard.admit(_token(context), "ingest")
        if isinstance(found, Refused):
            refused = answers.refusal(found)
            pipeline.own.answered(signal, refused.outcome)
            await context.abort(answers.GRPC_CODE[refused.outcome], refused.message)
        try:
            reply = pipeline.submit(Export(signal, body, "protobuf", "identity", found.tenant))
        except Overloaded:
            answer = Answer("unavailable", message="too much is waiting to be stored; send it again")
        else:
            answer = await asyncio.wrap_future(reply)
        if answer.outcome != "stored":
            await context.abort(answers.GRPC_CODE[answer.outcome], answer.message)
        return answers.success(signal, answer).SerializeToString()

    return export
