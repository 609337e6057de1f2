"""OTLP's trace and log messages with their attributes left as bytes, so that an attribute met before need not be parsed again.

A span's time in Python goes into walking its attributes, and most of them repeat: names, models, agents, tenants. On the wire a
submessage and a byte string look alike, so the same request parses into messages whose `attributes` are the attributes' own
encodings, and what each stands for is looked up (`read_encoded` in values.py).

The shallow descriptors are made from the official ones, of the installed opentelemetry-proto.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

_Request = TypeVar("_Request", bound=Message)

_PAIR = ".opentelemetry.proto.common.v1.KeyValue"
_ATTRIBUTES = "attributes"


def shallow(request: type[_Request]) -> type[_Request]:
    """The request's class, but for the attributes of its spans, events, links and log records, which are bytes."""
    made: Any = GetMessageClass(_pool().FindMessageTypeByName(request.DESCRIPTOR.full_name))
    return made


@cache
def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, logs_pb2, trace_service_pb2, logs_service_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        if module in (trace_pb2, logs_pb2):
            for message in file.message_type:
                _leave_as_bytes(message)
        pool.Add(file)
    return pool


def _leave_as_bytes(message: DescriptorProto) -> None:
    for field in message.field:
        if field.name == _ATTRIBUTES and field.type_name == _PAIR:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    for inner in message.nested_type:
        _leave_as_bytes(inner)
