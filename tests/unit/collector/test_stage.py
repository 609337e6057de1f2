"""What is stored of records, and for whom: names of options and tenants are as bounded as those that calls are grouped by."""

from __future__ import annotations

from typing import Any

import pytest

from collector.dialects import read
from collector.record import Attributes
from collector.stage import Staging, grouped, with_options_cut
from tests.unit.collector.traffic import RULES, record

LONG = "m" * 100_000


def test_names_of_options_are_cut_as_those_of_models_are() -> None:
    attributes: Attributes = {
        "allocation.route.candidates": ["small", LONG, 7],
        "allocation.route.chosen": LONG,
        "allocation.action.class": LONG + "!",
        "gen_ai.prompt": LONG,
    }
    cut = with_options_cut(attributes)
    short = grouped(LONG)
    assert short is not None
    assert len(short) == 200
    assert cut["allocation.route.candidates"] == ["small", short, 7]
    assert cut["allocation.route.chosen"] == short, "a router's choice is still among what it could choose, and its calls' model"
    assert cut["allocation.action.class"] not in (short, LONG + "!"), "long names stay apart"
    assert cut["gen_ai.prompt"] == LONG
    assert attributes["allocation.route.chosen"] == LONG


def test_short_names_are_left_alone() -> None:
    attributes: Attributes = {
        "allocation.route.candidates": ["a", "b"],
        "allocation.route.chosen": "a",
        "allocation.action.class": 3,
    }
    assert with_options_cut(attributes) is attributes


@pytest.mark.parametrize(
    ("of_record", "of_resource", "tenant"),
    [
        ("a", "b", "a"),
        (None, "b", "b"),
        ("", "b", "b"),
        (42, None, "42"),
        (None, 42, "42"),
        (0, "b", "0"),
        ({"id": "a"}, "b", "b"),
        (1.5, None, "default"),
        (True, None, "default"),
        (None, None, "default"),
    ],
)
def test_the_tenant_of_a_record(of_record: Any, of_resource: Any, tenant: str) -> None:
    assert staged(of_record, of_resource) == [tenant]


def test_tenants_whose_long_names_begin_alike_are_two() -> None:
    one, other = staged(LONG + "a", None), staged(LONG + "b", None)
    assert one != other
    assert max(map(len, one + other)) == 200


def staged(of_record: Any, of_resource: Any) -> list[str]:
    """The tenants that a record with such an attribute, and such a resource, is stored for."""
    found = record({"tenant.id": of_record}, resource={"tenant.id": of_resource})
    staging = Staging("span", 1, "default")
    staging.add(found, read(found, RULES))
    return [arrivals.tenant for arrivals in staging.arrivals()]
