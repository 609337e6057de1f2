"""Over-routing: the chosen model costs more than what it adds is worth (eq. 1 and 4, against the better cheaper one)."""

from __future__ import annotations

import psycopg

from analyzers.modes import routing, wording
from analyzers.modes.look import Look, Window
from analyzers.modes.places import Found, Told, amounts, of_chosen

INEQUALITY = "V·ΔQ < ΔC + λ·ΔL + ρ·ΔR, of the chosen model against a cheaper one (eq. 4)"


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """Every route of a tenant for which something cheaper may be better, by class of tasks and chosen model."""
    return routing.looks(connection, tenant_id, window, "over_routing", _told)


def _told(found: Found) -> Told:
    terms = of_chosen(found.standing.terms)
    chosen, best, known = found.place.subject, found.best, amounts(terms)
    if not best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} answers {found.task_class} with {chosen}; nothing cheaper is known to be better."
        return Told(sentence, "Nothing.", INEQUALITY, terms, {"best": best})
    own, other = found.mean_costs
    part = "less" if own is None or other is None or not 0 < other < own else f"{wording.fraction(other / own)} of the cost"
    sentence = (
        f"{found.of.tenant} answers {found.task_class} with {chosen}; {best} would do for {part}:"
        f" {chosen} takes {wording.takes(known)} a day more, to {wording.brings(known)}."
    )
    change = f"Route {found.work} to {best} by default, and go on trying {chosen} in a few of the cases."
    return Told(sentence, change, INEQUALITY, terms, {"best": best, "chosen_cost_usd": own, "best_cost_usd": other})
