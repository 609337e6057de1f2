"""The price vector as Prometheus scrapes it: text format 0.0.4, a gauge for each price, with whose it is and its source.

Source: prometheus.io, "Exposition formats", text-based format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from ledger.price_vector import EnginePrice, PriceList, Vector

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

_Read = Callable[[Vector], tuple[Decimal | None, str]]
_PRICES: tuple[tuple[str, str, _Read], ...] = (
    ("v_usd", "Value of a task, in USD of compute for quality 1 against 0.", lambda v: (v.v_usd, v.v_source)),
    ("v_low_usd", "Lower bound of the value.", lambda v: (v.v_low_usd, v.v_source)),
    ("v_high_usd", "Upper bound of the value.", lambda v: (v.v_high_usd, v.v_source)),
    ("lambda_usd_per_second", "Price of a second; 0 while the SLA is slack.", lambda v: (v.lambda_usd_per_s, v.lambda_source)),
    ("lambda_low_usd_per_second", "Lower bound of the price of a second.", lambda v: (v.lambda_low, v.lambda_source)),
    ("lambda_high_usd_per_second", "Upper bound of the price of a second.", lambda v: (v.lambda_high, v.lambda_source)),
    ("rho", "Price of a USD of expected loss.", lambda v: (v.rho, v.rho_source)),
    ("rho_low", "Lower bound of the price of a USD of expected loss.", lambda v: (v.rho_low, v.rho_source)),
    ("rho_high", "Upper bound of the price of a USD of expected loss.", lambda v: (v.rho_high, v.rho_source)),
    ("budget_worth", "Value of the last USD of compute, in USD; 1 while no budget binds.", lambda v: (v.budget_worth, v.source)),
)  # fmt: skip


def prometheus(found: PriceList, vectors: Sequence[Vector]) -> str:
    """The text. Prices that are not known have no sample."""
    lines: list[str] = []
    for name, help_text, read in _PRICES:
        samples = [
            _sample(f"pigou_price_{name}", price, tenant=found.tenant, task_class=one.task_class, source=source)
            for one, (price, source) in ((one, read(one)) for one in vectors)
            if price is not None
        ]
        lines += _family(f"pigou_price_{name}", help_text, samples)
    slacks = [
        _sample(
            "pigou_price_constraint_slack", limit["slack"], tenant=found.tenant, task_class=one.task_class,
            constraint=limit["name"], kind=limit["kind"],
        )
        for one in vectors
        for limit in one.constraints
    ]  # fmt: skip
    lines += _family("pigou_price_constraint_slack", "What the period left of a constraint, in its own unit.", slacks)
    since = [
        _sample("pigou_price_valid_from_seconds", f"{v.valid_from.timestamp():.3f}", tenant=found.tenant, task_class=v.task_class)
        for v in vectors
    ]
    lines += _family("pigou_price_valid_from_seconds", "Since when the prices of the class hold, in seconds since 1970.", since)
    return "".join(f"{line}\n" for line in [*lines, *_engines(found)])


_ENGINE_PRICES: tuple[tuple[str, str, Callable[[EnginePrice], Decimal | str | None]], ...] = (
    ("price_usd", "Shadow price of a unit of an engine's resource, in USD.", lambda e: e.price),
    ("price_low_usd", "Lower bound of the shadow price.", lambda e: e.price_low),
    ("price_high_usd", "Upper bound of the shadow price.", lambda e: e.price_high),
    (
        "price_valid_from_seconds",
        "The hour that the shadow price is of, in seconds since 1970.",
        lambda e: f"{e.valid_from.timestamp():.3f}",
    ),
)


def _engines(found: PriceList) -> list[str]:
    """Of every engine and resource the price with its interval, and the hour that it is of."""
    lines: list[str] = []
    for name, help_text, read in _ENGINE_PRICES:
        samples = [
            _sample(f"pigou_engine_{name}", value, tenant=found.tenant, engine=e.engine, resource=e.resource, unit=e.unit)
            for e, value in ((e, read(e)) for e in found.engines)
            if value is not None
        ]
        lines += _family(f"pigou_engine_{name}", help_text, samples)
    return lines


def _family(name: str, help_text: str, samples: list[str]) -> list[str]:
    """A metric with its head; nothing when it has no samples."""
    return [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", *samples] if samples else []


def _sample(name: str, value: Decimal | float | str, **labels: str) -> str:
    text = ",".join(f'{label}="{_escaped(said)}"' for label, said in labels.items())
    return f"{name}{{{text}}} {f'{value:f}' if isinstance(value, Decimal) else value}"


def _escaped(said: str) -> str:
    return said.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
