"""What is wrong with what was asked, in words of the house."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from collector.faults import HEX_16, NO_NUL, faults


class Part(BaseModel):
    """A part of what is asked."""

    model_config = ConfigDict(extra="forbid")

    latency_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    cost_usd: Decimal | None = Field(None, decimal_places=2)


class Asked(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(pattern=NO_NUL, max_length=5)]
    span_id: str | None = Field(None, pattern=HEX_16)
    kind: Literal["small", "large"] = "small"
    many: int = Field(1, lt=10)
    at: AwareDatetime | None = None
    parts: list[Part | Any] = Field(default_factory=list[Any], max_length=3)
    one: Part | None = None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "key: it is missing"),
        ([], "an object is wanted, not a list"),
        (None, "an object is wanted, not null"),
        ("{}", "an object is wanted, not '{}'"),
        ({"key": 3}, "key: text is wanted, not 3"),
        ({"key": ""}, "key: text is wanted that is not empty and holds no NUL, not ''"),
        ({"key": "abcdef"}, "key: at most 5 characters are wanted"),
        ({"key": "a", "kyey": 1}, "kyey: there is no such field; did you mean key?"),
        ({"key": "a", "zzz": 1}, "zzz: there is no such field; there are key, span_id, kind, many, at, parts, one"),
        ({"key": "a", "one": {"latency_ms": 1}}, "one.latency_ms: there is no such field; did you mean latency_s?"),
        ({"key": "a", "one": {"latency_s": "soon"}}, "one.latency_s: a number is wanted, not 'soon'"),
        ({"key": "a", "one": {"latency_s": float("inf")}}, "one.latency_s: a finite number is wanted, not inf"),
        ({"key": "a", "one": {"cost_usd": "0.001"}}, "one.cost_usd: at most 2 decimal places are wanted"),
        ({"key": "a", "many": 10}, "many: it is to be below 10, and is 10"),
        ({"key": "a", "many": True, "kind": "huge"}, "kind: 'small' or 'large' is wanted, not 'huge'"),
        ({"key": "a", "many": 1.5}, "many: a whole number is wanted, not 1.5"),
        ({"key": "a", "span_id": "z" * 100}, f"span_id: 16 hexadecimal digits are wanted, not '{'z' * 59}…"),
        (
            {"key": "a", "at": "2026-01-01T00:00:00"},
            "at: a time with its offset, as in 2026-01-31T12:00:00Z, is wanted, not '",
        ),
        ({"key": "a", "parts": 3}, "parts: a list is wanted, not 3"),
        ({"key": "a", "parts": [1, 2, 3, 4]}, "parts: at most 3 are wanted, not 4"),
    ],
)
def test_it_says_where_what_and_how_to_mend(told: object, said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Asked.model_validate(told)
    assert faults(raised.value.errors(), Asked).startswith(said)
    within = [{**error, "loc": ("body", *error["loc"])} for error in raised.value.errors()]
    assert faults(within, Asked, ("body",)).startswith(f"body.{said}" if said.partition(": ")[1] else "body: ")


def test_a_field_of_what_is_not_known_is_refused_without_a_guess() -> None:
    error = {"type": "extra_forbidden", "loc": ("a", "b"), "msg": "", "input": 1}
    assert faults([error]) == "a.b: there is no such field"
    assert faults([error], Asked) == "a.b: there is no such field"
