"""What is stored of records: names of options are as bounded as the names that calls are grouped by."""

from collector.record import Attributes
from collector.stage import grouped, with_options_cut

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
