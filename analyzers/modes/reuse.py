"""Stored answers that were given where working on the task would have been worth more: the reuse side of cache misuse (eq.
10)."""

from __future__ import annotations

import psycopg

from analyzers.modes import wording
from analyzers.modes.appraised import read
from analyzers.modes.look import Look, Window
from analyzers.modes.places import Found, Told, amounts, gathered, of_chosen
from analyzers.modes.places import look as look_of

INEQUALITY = "V·ΔQ lost by reuse > ΔC + λ·ΔL + ρ·ΔR saved, since the task differs from that of the stored answer (eq. 1, 10)"
REUSED = "reuse"


def looks(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """A look at each class of tasks in which stored answers are given, for the mode cache_misuse."""
    of = read(connection, tenant_id, window, ("reuse",))
    found = gathered(of, "cache_misuse", lambda part: part.chosen == REUSED, lambda part, _subject: part.chosen)
    return [look_of(connection, each, _told(each)) for each in found]


def _told(found: Found) -> Told:
    terms = of_chosen(found.standing.terms)
    known = amounts(terms)
    if not found.best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} reuses stored answers for {found.work}, and is not known to lose by it."
        return Told(sentence, "Nothing.", INEQUALITY, terms, {})
    sentence = (
        f"{found.of.tenant} answers {found.work} with answers stored for other tasks: that loses {wording.takes(known)} a day, to"
        f" {wording.brings(known)}."
    )
    change = f"Work on {found.work} instead of reusing what was stored for other tasks."
    return Told(sentence, change, INEQUALITY, terms, {"best": found.best})
