"""What is wrong with something that was asked, in one line: where, what, and how to mend it.

Pydantic finds it; its own words name its classes and types, which nobody who sends JSON knows.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

NO_NUL = r"^[^\x00]+$"
"""Text without the character that PostgreSQL cannot hold."""
SAID = r"^[^\x00]*[^\x00\s][^\x00]*$"
"""The same, and not blank either."""
HOLD_ID = r"^[!-.0-~]{1,200}$"
"""What can be seen and stands in an address: no blank, no slash."""
BUDGET = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
HEX_32 = r"^[0-9a-fA-F]{32}$"
HEX_16 = r"^[0-9a-fA-F]{16}$"
_PATTERNS = {
    NO_NUL: "text is wanted that is not empty and holds no NUL",
    SAID: "text is wanted that is not blank and holds no NUL",
    HOLD_ID: "1 to 200 visible ASCII characters without a slash are wanted",
    BUDGET: "1 to 100 letters, digits, '.', '_' and '-' are wanted",
    HEX_32: "32 hexadecimal digits are wanted",
    HEX_16: "16 hexadecimal digits are wanted",
}
_SHOWN_MAX = 60


def faults(errors: Sequence[Mapping[str, Any]], asked: object = None, root: Sequence[str] = ()) -> str:
    """Pydantic's errors in one line. `asked`: the model that was asked for, whose fields a misspelt one is told from; `root`:
    what stands before the model in the places of the errors."""
    told = [f"{'.'.join(str(part) for part in one['loc'])}: {_fault(one, asked, len(root))}".removeprefix(": ") for one in errors]
    return "; ".join(told).encode("utf-8", "replace").decode()  # it may quote half a character


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean a?`, or all that is known when nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"


def _fault(error: Mapping[str, Any], asked: object, depth: int) -> str:
    kind, of = str(error["type"]), error.get("ctx", {})
    if kind == "extra_forbidden":
        place = error["loc"]
        known = _fields(asked, place[depth:-1])
        return "there is no such field" + (f"; {nearest(str(place[-1]), known)}" if known else "")
    if kind in ("value_error", "assertion_error"):
        return str(error["msg"]).partition(", ")[2]
    if kind == "string_pattern_mismatch" and of["pattern"] in _PATTERNS:
        return f"{_PATTERNS[of['pattern']]}, not {_shown(error)}"
    said = _SAID.get(kind)
    return str(error["msg"]) if said is None else said(error, of)


def _fields(asked: object, path: Sequence[object]) -> list[str]:
    """The names of the model that stands at a path, empty where there is none."""
    model = _model(asked)
    for part in path:
        if model is not None and isinstance(part, str) and part in model.model_fields:
            model = _model(model.model_fields[part].annotation)
        elif not isinstance(part, int):
            return []
    return [] if model is None else list(model.model_fields)


def _model(annotation: object) -> type[BaseModel] | None:
    """The model in an annotation: itself, or within a list or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model(one)) is not None), None)


def _shown(error: Mapping[str, Any]) -> str:
    """What was given, as JSON names it."""
    given: object = error.get("input")
    for kind, name in ((dict, "an object"), (list, "a list"), (bool, str(given).lower()), (type(None), "null")):
        if isinstance(given, kind):
            return name
    text = repr(given)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


_Said = Callable[[Mapping[str, Any], Mapping[str, Any]], str]


def _wanted(what: str) -> _Said:
    return lambda error, _: f"{what} is wanted, not {_shown(error)}"


def _bound(how: str, name: str) -> _Said:
    return lambda error, of: f"it is to be {how} {of[name]:g}, and is {_shown(error)}"


def _length(many: str, name: str, how: str) -> _Said:
    return lambda _, of: f"{how} {of[name]} {many} wanted" + (f", not {of['actual_length']}" if "actual_length" in of else "")


def _one_of(error: Mapping[str, Any], of: Mapping[str, Any]) -> str:
    return f"{of['expected']} is wanted, not {_shown(error)}"


_NUMBERS = (
    "float_type", "float_parsing", "decimal_type", "decimal_parsing", "finite_number", "int_type", "int_parsing",
    "int_from_float", "int_parsing_size",
)  # fmt: skip
_TIMES = (
    "datetime_type",
    "datetime_parsing",
    "datetime_from_date_parsing",
    "datetime_object_invalid",
    "timezone_naive",
    "timezone_aware",
)
_OBJECTS = ("model_type", "model_attributes_type", "dict_type", "dataclass_type")
_SAID: dict[str, _Said] = {
    "missing": lambda _, __: "it is missing",
    "json_invalid": lambda _, of: f"it is no JSON: {of['error']}",
    **dict.fromkeys(_OBJECTS, _wanted("an object")),
    **dict.fromkeys(_NUMBERS, _wanted("a number")),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _wanted("a whole number")),
    **dict.fromkeys(_TIMES, _wanted("a time with its offset, as in 2026-01-31T12:00:00Z,")),
    **dict.fromkeys(("bool_type", "bool_parsing"), _wanted("true or false")),
    **dict.fromkeys(("string_type", "string_unicode"), _wanted("text")),
    "finite_number": _wanted("a finite number"),
    "list_type": _wanted("a list"),
    "literal_error": _one_of,
    "enum": _one_of,
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "too_short": _length("are", "min_length", "at least"),
    "too_long": _length("are", "max_length", "at most"),
    "string_too_short": _length("characters are", "min_length", "at least"),
    "string_too_long": _length("characters are", "max_length", "at most"),
    "decimal_max_places": _length("decimal places are", "decimal_places", "at most"),
    "decimal_whole_digits": _length("digits before the point are", "whole_digits", "at most"),
    "decimal_max_digits": _length("digits are", "max_digits", "at most"),
}  # fmt: skip
