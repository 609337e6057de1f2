"""Rows in PostgreSQL's binary format for COPY, and a record's row, made in the process that reads exports.

As text a row's bytes would be looked at one by one for the ends of fields, its ids, times and amounts be written out here and
parsed again there. A record's row lacks only what stands in front: `row_start`, with its tenant.
Source: PostgreSQL's documentation of COPY, "Binary Format", and of each type its `…_recv` function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from struct import Struct
from uuid import UUID

from ledger.arrivals import NewRecord, NewText
from ledger.copy_text import at, text_array

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
CALL_COLUMNS = (
    "trace_id, span_id, started_at, ended_at, strength, dialect, confidence, operation, provider, model, rate_provider,"
    " rate_model, service_tier, layer, layer_source, use, use_source, service, problem, conversation_id, user_id, response_id,"
    " total_input_tokens, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, leaves,"
    " claimed_cost_usd, keys"
)
RECORD_COLUMNS = (
    "trace_id, span_id, started_at, ended_at, kind, status_code, content_hash, parent_span_id, resource_id, signal, role,"
    " service, scope_name, scope_version, agent, task_class, layer, use, name, attributes, events, links, status_message"
)
KEPT_TEXT_COLUMNS = "trace_id, span_id, started_at, attributes, events, body"

_NAMES = RECORD_COLUMNS.split(", ")
_KEPT_TEXT_NAMES = KEPT_TEXT_COLUMNS.split(", ")
_KEPT_TEXT_KEY = Struct(">i16si8siq")
_COUNT_OF_COLUMNS = Struct(">h")
_START = Struct(">hii")
_FIXED = ">i16si8siqiqihihi16si"
_FIXED_AND_PARENT = Struct(_FIXED + "8s")
_FIXED_WITHOUT = Struct(_FIXED)
_LENGTH = Struct(">i")
_JSON = Struct(">ib")
_JSONB_VERSION = 1
EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts times, in Unix microseconds."""
EPOCH_DAY = 10_957
"""The same in days since 1970."""
NULL = _LENGTH.pack(-1)

_NULL_EVENTS_LINKS_MESSAGE = 3 * NULL
_COUNT = Struct(">iq")
_TEXT_OID = 25
_ARRAY = Struct(">iiiii")
_ARRAY_FIELD = Struct(">iiiiii")
_EMPTY_ARRAY = Struct(">iiii").pack(12, 0, 0, _TEXT_OID)
_EMPTY_ARRAY_BYTES = 12
_NUMERIC = Struct(">hhHH")
_EXACTLY = Context(prec=100)
_DIGIT = 10_000
_DIGITS_OF_ONE = Struct(">ihhHHH")
_DIGITS_OF_TWO = Struct(">ihhHHHH")
_DIGITS_OF_THREE = Struct(">ihhHHHHH")


ROW_START_BYTES = _START.size


def row_start(tenant_id: int) -> bytes:
    """What stands before every record's row of a tenant: the number of columns, and the first of them."""
    return _START.pack(1 + len(_NAMES), 4, tenant_id)


def kept_text_start(tenant_id: int) -> bytes:
    """The same of rows of text that is kept."""
    return _START.pack(1 + len(_KEPT_TEXT_NAMES), 4, tenant_id)


def kept_text_row(record: NewRecord, text: NewText) -> bytes:
    """The columns of a record's text, but for its tenant, in the order of `KEPT_TEXT_COLUMNS`."""
    key = _KEPT_TEXT_KEY.pack(16, record.trace_id, 8, record.span_id, 8, record.started_us - EPOCH_US)
    return key + _document(text.attributes_json) + _document(text.events_json) + _document(text.body_json)


def row_end(rows: bytes | memoryview, begin: int) -> int:
    """Where a row ends that stands among others with its start."""
    (columns,) = _COUNT_OF_COLUMNS.unpack_from(rows, begin)
    at = begin + _COUNT_OF_COLUMNS.size
    for _ in range(columns):
        (length,) = _LENGTH.unpack_from(rows, at)
        at += _LENGTH.size + max(length, 0)
    return at


def record_row(record: NewRecord) -> bytes:
    """The columns of a record, but for its tenant, in the order of `RECORD_COLUMNS`."""
    parent = record.parent_span_id
    fixed = (
        16, record.trace_id, 8, record.span_id, 8, record.started_us - EPOCH_US, 8, record.ended_us - EPOCH_US,
        2, record.kind, 2, record.status_code, 16, record.content_hash,
    )  # fmt: skip
    name, attributes = record.name.encode(), record.attributes_json
    if record.events_json is None and record.links_json is None and record.status_message is None:
        rest = _NULL_EVENTS_LINKS_MESSAGE
    else:
        rest = _document(record.events_json) + _document(record.links_json) + text_field(record.status_message)
    return b"".join((
        _FIXED_WITHOUT.pack(*fixed, -1) if parent is None else _FIXED_AND_PARENT.pack(*fixed, 8, parent),
        _names(record.resource_id, record.signal, record.role, record.service, record.scope_name, record.scope_version,
               record.agent, record.task_class, record.layer, record.use),
        _LENGTH.pack(len(name)), name, _JSON.pack(len(attributes) + 1, _JSONB_VERSION), attributes, rest,
    ))  # fmt: skip


def text_field(value: str | None) -> bytes:
    """A text as a column."""
    if value is None:
        return NULL
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def whole_field(number: int) -> bytes:
    """A whole number that is not negative as a column of type numeric."""
    if number < _DIGIT:
        return _DIGITS_OF_ONE.pack(10, 1, 0, 0, 0, number)
    if number < _DIGIT**2:
        return _DIGITS_OF_TWO.pack(12, 2, 1, 0, 0, *divmod(number, _DIGIT))
    return numeric_field(number, 0)


def pico_field(number: int) -> bytes:
    """Millionths of millionths, not negative, as a column of type numeric with 12 decimal places."""
    if number < _DIGIT**3:
        upper, last = divmod(number, _DIGIT)
        return _DIGITS_OF_THREE.pack(14, 3, -1, 0, 12, *divmod(upper, _DIGIT), last)
    return numeric_field(number, 12)


def numeric_field(unscaled: int, places: int) -> bytes:
    """`unscaled` / 10^`places`, not negative, as a column of type numeric: digits to the base of 10,000."""
    groups = -(-places // 4)
    rest = unscaled * 10 ** (4 * groups - places)
    digits: list[int] = []
    while rest:
        rest, digit = divmod(rest, _DIGIT)
        digits.append(digit)
    count = len(digits)
    return Struct(f">ihhHH{count}H").pack(8 + 2 * count, count, count - 1 - groups, 0, places, *reversed(digits))


def columns_of(row: bytes, columns: str) -> Mapping[str, str | None]:
    """The columns of a row, by name, as PostgreSQL would write them; for the rare record that is kept apart."""
    found: dict[str, str | None] = {}
    position = 0
    for name in columns.split(", "):
        (length,) = _LENGTH.unpack_from(row, position)
        position += 4
        if length < 0:
            found[name] = None
            continue
        found[name] = _shown(name, row[position : position + length])
        position += length
    if position != len(row):
        raise ValueError(f"a row of {len(row)} bytes has columns of {position}")
    return found


def _shown(name: str, value: bytes) -> str:
    if name in ("trace_id", "span_id", "parent_span_id", "content_hash"):
        return f"\\x{value.hex()}"
    if name in ("started_at", "ended_at"):
        return at(int.from_bytes(value, "big", signed=True) + EPOCH_US)
    if name in ("kind", "status_code", "strength") or name.endswith("_tokens"):
        return str(int.from_bytes(value, "big", signed=True))
    if name == "resource_id":
        return str(UUID(bytes=value))
    if name == "claimed_cost_usd":
        return _number_of(value)
    if name == "keys":
        return text_array(_elements_of(value))
    return value[1:].decode() if name in ("attributes", "events", "links", "leaves", "body") else value.decode()


def _number_of(value: bytes) -> str:
    count, weight, _, places = _NUMERIC.unpack_from(value)
    unscaled = 0
    for digit in Struct(f">{count}H").unpack_from(value, _NUMERIC.size):
        unscaled = unscaled * _DIGIT + digit
    number = Decimal(unscaled).scaleb(4 * (weight - count + 1), _EXACTLY)
    return f"{number.quantize(Decimal(1).scaleb(-places), context=_EXACTLY):f}"


def _elements_of(value: bytes) -> list[str]:
    found: list[str] = []
    position = _ARRAY.size if len(value) > _EMPTY_ARRAY_BYTES else len(value)
    while position < len(value):
        (length,) = _LENGTH.unpack_from(value, position)
        position += 4 + length
        found.append(value[position - length : position].decode())
    return found


@lru_cache(maxsize=8192)
def _names(resource_id: str, *names: str | None) -> bytes:
    """Columns of which few combinations occur, at once."""
    return _LENGTH.pack(16) + UUID(resource_id).bytes + text_fields(*names)


@lru_cache(maxsize=8192)
def text_fields(*values: str | None) -> bytes:
    """Texts of which few combinations occur, at once."""
    return b"".join([text_field(value) for value in values])


def count_field(number: int | None) -> bytes:
    """A whole number as a column of type bigint."""
    return NULL if number is None else _COUNT.pack(8, number)


def decimal_field(number: Decimal | None) -> bytes:
    """A number that is not negative as a column of type numeric, with the decimal places it was written with."""
    if number is None:
        return NULL
    if not number.is_finite():
        raise ValueError(f"{number} is no amount")
    exponent = int(number.as_tuple().exponent)
    if not number:  # also 0E+999999999
        return numeric_field(0, max(0, -exponent))
    unscaled = int(number.scaleb(-exponent, _EXACTLY))
    return numeric_field(unscaled, -exponent) if exponent < 0 else numeric_field(unscaled * 10**exponent, 0)


def texts_field(values: Sequence[str]) -> bytes:
    """Texts as a column of type text[]."""
    if not values:
        return _EMPTY_ARRAY
    elements = b"".join([text_field(value) for value in values])
    return _ARRAY_FIELD.pack(_ARRAY.size + len(elements), 1, 0, _TEXT_OID, len(values), 1) + elements


def json_field(document: bytes) -> bytes:
    """JSON as a column of type jsonb."""
    return _JSON.pack(len(document) + 1, _JSONB_VERSION) + document


def _document(value: bytes | None) -> bytes:
    return NULL if value is None else json_field(value)
