"""Over-delegation: acting with less confirmation than pays, and handing work on that returns less than it costs (eq. 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from analyzers.modes import autonomy_schedule, wording
from analyzers.modes.appraised import Appraised, read
from analyzers.modes.autonomy_schedule import CONFIRMATIONS
from analyzers.modes.look import Json, Look, Window
from analyzers.modes.places import Found, Told, amounts, gathered, numbers, of_chosen
from analyzers.modes.places import look as look_of
from analyzers.modes.standing_regret import Part

UNASKED = "ρ·ΔR > V·ΔQ − ΔC − λ·ΔL, of acting with less confirmation against more (∂R/∂a > V·∂p/∂a, eq. 7)"
HANDED_OFF = "V·ΔQ < ΔC + λ·ΔL + ρ·ΔR, of handing work on against working alone (eq. 1)"

_ALONE, _HANDED = "alone", "delegate"
_CONFIRMED_BY = {
    "none": "without asking anybody",
    "self": "after checking itself",
    "human": "with a person's yes",
    "multi_party": "with several people's yes",
}


def look(connection: psycopg.Connection, tenant_id: int, window: Window) -> list[Look]:
    """Every class of action that could have been confirmed by more than it was, and every class of tasks in which work was
    handed on."""
    of = read(connection, tenant_id, window, ("confirm", "delegate"))
    unasked, chains = places(of)
    rows = autonomy_schedule.schedule(connection, tenant_id, window) if unasked else []
    answered = [look_of(connection, found, _told_unasked(found, rows)) for found in unasked]
    return answered + [look_of(connection, found, _told_chain(found)) for found in chains]


def places(of: Appraised) -> tuple[list[Found], list[Found]]:
    """Actions that could have been confirmed by more, and work that was handed on."""
    return (
        gathered(of, "over_delegation", _is_less_confirmed, _named, by_subject=True),
        gathered(of, "over_delegation", _is_handed_on, lambda part, _subject: part.chosen),
    )


def _is_handed_on(part: Part) -> bool:
    return part.kind == "delegate" and part.chosen == _HANDED and part.best in ("", _ALONE)


def _level(option: str) -> int:
    return CONFIRMATIONS.index(option) if option in CONFIRMATIONS else -1


def _is_less_confirmed(part: Part) -> bool:
    """Whether a segment acted with less confirmation than what is better, or, where nothing is, than what is possible."""
    if part.kind != "confirm":
        return False
    return _level(part.best or max(part.options, key=_level)) > _level(part.chosen)


def _named(part: Part, subject: str) -> str:
    return f"{subject or 'action'}: {part.chosen}"


def _told_unasked(found: Found, rows: Sequence[autonomy_schedule.Row]) -> Told:
    terms = of_chosen(found.standing.terms)
    known, action = amounts(terms), found.subject or "what it does"
    chosen = found.standing.parts[0].chosen
    how = _CONFIRMED_BY.get(chosen, chosen)
    about = [row for row in rows if row.action_class == found.subject and row.task_class == found.place.task_class]
    detail: dict[str, Json] = {"best": found.best, "schedule": [as_json(row) for row in about]}
    if not found.best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} does {action} in {found.task_class} {how}; asking more is not known to pay."
        return Told(sentence, "Nothing.", UNASKED, terms, detail)
    better = _CONFIRMED_BY.get(found.best, found.best)
    sentence = (
        f"{found.of.tenant} does {action} in {found.work} {how}: that takes {wording.takes(known)} a day more than {better},"
        f" to {wording.brings(known)}."
    )
    irreversible = [row for row in about if row.is_reversible is False]
    change = f"Do {action} in {found.work} {better}" + ("; it cannot be undone." if irreversible else ".")
    return Told(sentence, change, UNASKED, terms, detail, _tails(irreversible, chosen))


def _tails(irreversible: Sequence[autonomy_schedule.Row], chosen: str) -> tuple[str, ...]:
    """That an expectation says too little of what cannot be undone, with the mean of its worst cases as far as it is known."""
    for row in irreversible:
        for borne in row.borne:
            if borne.confirmation == chosen and borne.worst is not None:
                known = borne.worst.value
                words = f"is {wording.usd(known)}" if known is not None else f"is not known: {borne.worst.why}"
                return (
                    f"risk is an expectation, and this cannot be undone: of the worst twentieth of tasks the mean loss {words}",
                )
    return ()


def _told_chain(found: Found) -> Told:
    terms = of_chosen(found.standing.terms)
    known = amounts(terms)
    detail: dict[str, Json] = {"best": found.best}
    if not found.best or not (found.standing.usd_per_day or 0.0) > 0:
        sentence = f"{found.of.tenant} hands {found.task_class} on to other agents; working alone is not known to be better."
        return Told(sentence, "Nothing.", HANDED_OFF, terms, detail)
    sentence = (
        f"{found.of.tenant} hands {found.work} on to other agents: that takes {wording.takes(known)} a day more, to"
        f" {wording.brings(known)}."
    )
    return Told(sentence, f"Let the agent work on {found.work} by itself.", HANDED_OFF, terms, detail)


def as_json(row: autonomy_schedule.Row) -> Json:
    """A row of the schedule as the look's detail holds it."""
    return {
        "action_class": row.action_class,
        "task_class": row.task_class,
        "is_reversible": row.is_reversible,
        "actions": row.actions,
        "now": dict(row.now),
        "recommended": row.recommended,
        "is_appraised": row.is_appraised,
        "gain_usd": row.gain_usd,
        "why": row.why,
        "borne": [
            {
                "confirmation": one.confirmation,
                "actions": one.actions,
                "expected_loss_usd": numbers(one.expected),
                "worst_twentieth_usd": None if one.worst is None else numbers(one.worst),
            }
            for one in row.borne
        ],
    }
