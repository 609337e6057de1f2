"""Under-routing: a dearer model would add more than it costs, and is not taken (eq. 1 and 4, against the better dearer one)."""

from __future__ import annotations

import psycopg

from analyzers.modes import routing, wording
from analyzers.modes.look import Look, Window
from analyzers.modes.places import Found, Told, amounts

INEQUALITY = "V·ΔQ > ΔC + λ·ΔL + ρ·ΔR, of a dearer model against the chosen one (eq. 4)"


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """Every route of a tenant for which something dearer may be better, by class of tasks and chosen model."""
    return routing.looks(connection, tenant_id, window, "under_routing", _told)


def _told(found: Found) -> Told:
    terms = found.standing.terms
    chosen, best, known = found.place.subject, found.best, amounts(terms)
    if not best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} answers {found.task_class} with {chosen}; nothing dearer is known to be better."
        return Told(sentence, "Nothing.", INEQUALITY, terms, {"best": best})
    own, other = found.mean_costs
    sentence = (
        f"{found.of.tenant} answers {found.task_class} with {chosen}; {best} would {wording.brings(known)} a day,"
        f" for {wording.takes(known)}."
    )
    downstream = found.standing.downstream
    if downstream is not None and downstream[2] < 0:
        sentence += f" {wording.usd(-downstream[0])} a day of what it saves is spent again later in the tasks."
    change = f"Route {found.work} to {best} by default, and go on trying {chosen} in a few of the cases."
    return Told(sentence, change, INEQUALITY, terms, {"best": best, "chosen_cost_usd": own, "best_cost_usd": other})
