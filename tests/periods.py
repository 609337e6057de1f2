"""Periods small enough to be solved on paper."""

from __future__ import annotations

from collections.abc import Sequence

from allocation.period import Compared, Together


def apart(compared: Sequence[Compared]) -> tuple[Together, ...]:
    """The tasks of comparisons whose decisions are each the only one of its task, taken together by band of V."""
    return tuple(
        Together(one.task_class, float(chosen.sum()), float(v_usd), {place: chosen})
        for place, one in enumerate(compared)
        for v_usd, chosen in zip(one.v_usd, one.chosen, strict=True)
    )
