"""From an export to what is posted: decompress → decode → read (dialect) → stage. Pure: no database, no clock, any process."""

from __future__ import annotations

import logging

import msgspec

from collector.content import ContentPolicy
from collector.decode import decode_logs, decode_metrics, decode_traces
from collector.decompress import BadCompression, TooLarge, decompress
from collector.dialects import read
from collector.errors import TooDeep, Undecodable
from collector.export import Answer, Export, Prepared
from collector.infer import Rules
from collector.record import Problem
from collector.stage import Staging

log = logging.getLogger("pigou.collector")

_REASONS_SHOWN = 3
_WARNINGS_MAX = 20
_BEGINNINGS = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd"}


class ReadingPolicy(msgspec.Struct, frozen=True):
    """What reading depends on beside the export itself and the use table."""

    decoded_limit_bytes: int
    default_tenant: str
    content: ContentPolicy


def prepare(export: Export, policy: ReadingPolicy, rules: Rules) -> Prepared | Answer:
    """What an export comes to, or why nothing of it can be stored."""
    try:
        body = decompress(export.body, export.compression, policy.decoded_limit_bytes)
        return _stage(export, body, policy, rules)
    except (TooLarge, TooDeep) as error:
        return Answer("too_large", message=str(error))
    except (BadCompression, Undecodable) as error:
        return Answer("undecodable", message=str(error) + _how_packed(export))
    except Exception as error:  # the reader's edge: one export must never stop the others
        log.exception("an export could not be prepared")
        return Answer("undecodable", message=f"the export could not be read ({type(error).__name__}); it was not stored")


def _how_packed(export: Export) -> str:
    """How a body that cannot be read is packed, where its sender did not say so."""
    packed = next((name for name, start in _BEGINNINGS.items() if export.body.startswith(start)), None)
    return f"; it begins like {packed}: send Content-Encoding: {packed}" if packed and export.compression == "identity" else ""


def reasons(problems: list[Problem]) -> str:
    """The first few reasons, for the sender."""
    shown = [f"{p.code}: {p.detail}" for p in problems[:_REASONS_SHOWN]]
    more = len(problems) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _stage(export: Export, body: bytes, policy: ReadingPolicy, rules: Rules) -> Prepared:
    staging = Staging(export.signal, len(export.body), policy.default_tenant, export.credential_tenant)
    content = policy.content
    problems: list[Problem]
    warnings: list[Problem]
    if export.signal == "metric":
        metrics = decode_metrics(body, export.encoding, content)
        problems, warnings = metrics.problems, metrics.warnings
        for point in metrics.points:
            if (problem := staging.other_tenant(point)) is not None:
                problems.append(problem)
            else:
                staging.add_point(point)
        count = len(metrics.points)
    else:
        decode = decode_traces if export.signal == "span" else decode_logs
        decoded = decode(body, export.encoding, content)
        problems, warnings = decoded.problems, decoded.warnings
        for record in decoded.records:
            if (problem := staging.other_tenant(record)) is not None:
                problems.append(problem)
            else:
                reading = read(record, rules)
                if reading.warning is not None and len(warnings) < _WARNINGS_MAX and reading.warning not in warnings:
                    warnings.append(reading.warning)
                staging.add(record, reading)
        count = len(decoded.records)
    for problem in problems:
        staging.reject(problem)
    return Prepared(staging.arrivals(), count, len(problems), reasons(problems + warnings))
