"""From what a place of decisions lost to the look that a mode answers with: what all modes of appraised decisions share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from analyzers.effects.estimate import Estimate
from analyzers.modes import wording
from analyzers.modes.appraised import Appraised, dearest, needs
from analyzers.modes.consequence import consequence, read_waits, without
from analyzers.modes.look import Json, Look, Mode, Place, Term
from analyzers.modes.standing_regret import Part, Standing

_LOG = "Log the probability of each choice: that tells what is tried out from what is a policy."


@dataclass(frozen=True, slots=True)
class Told:
    """What a mode says of one place. `terms`: the inequality's, as the mode states it; `detail`: for its plot."""

    sentence: str
    change: str
    inequality: str
    terms: tuple[Term, ...]
    detail: dict[str, Json]
    weaknesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One place of a mode, with its loss, before it is put in words."""

    of: Appraised
    mode: Mode
    place: Place
    standing: Standing
    subject: str | None

    @property
    def task_class(self) -> str:
        """The class of tasks, for people."""
        return self.place.task_class or "tasks without a class"

    @property
    def work(self) -> str:
        """The class of tasks, and of what value they are where that is not all of them, for people."""
        counted = list(dict.fromkeys(part.band for part in self.standing.counted if part.band))
        everything = {part.band for part in self.standing.parts}
        if not counted or set(counted) == everything:
            return self.task_class
        return f"{self.task_class} (tasks worth {wording.listed(counted)})"

    @property
    def best(self) -> str:
        """What would have gained most over most of the place's decisions; "" where nothing is known to be better."""
        weights: dict[str, float] = defaultdict(float)
        for part in self.standing.counted or self.standing.parts:
            if part.best:
                weights[part.best] += max(part.regret_usd or 0.0, 0.0) + 1e-12 * part.n
        return max(sorted(weights), key=lambda option: weights[option], default="")

    @property
    def mean_costs(self) -> tuple[float | None, float | None]:
        """What a task costs as chosen and with the best option, on average over the counted segments."""
        best, chosen = self.best, self.standing.parts[0].chosen
        parts = [part for part in self.standing.counted or self.standing.parts if part.best == best]
        pairs = [(self.of.mean_cost(part, chosen), self.of.mean_cost(part, best), part.n) for part in parts]
        known = [(own, other, n) for own, other, n in pairs if own is not None and other is not None]
        total = sum(n for _, _, n in known)
        if not total:
            return None, None
        return sum(own * n for own, _, n in known) / total, sum(other * n for _, other, n in known) / total


def gathered(
    of: Appraised, mode: Mode, wanted: Callable[[Part], bool], name: Callable[[Part, str], str], by_subject: bool = False
) -> list[Found]:
    """The places of the segments that a mode wants: one for each class of tasks, subject and chosen option.

    `name`: what the place is called, of a segment and what its decisions are about.
    """
    groups: dict[tuple[str, str, str, str], list[Part]] = defaultdict(list)
    for part in of.parts:
        if part.chosen and wanted(part):
            for subject in of.subjects(part) if by_subject else ("",):
                groups[part.kind, part.task_class or "", subject, part.chosen].append(part)
    found: list[Found] = []
    for (kind, task_class, subject, _), parts in sorted(groups.items()):
        about = subject if by_subject else None
        place = Place(parts[0].layer, kind, task_class or None, name(parts[0], subject))  # type: ignore[arg-type]
        found.append(Found(of, mode, place, of.standing(parts, about), about))
    return found


def look(connection: psycopg.Connection, found: Found, told: Told) -> Look:
    """The look at a place, with its dearest decisions where it stands, and without what is a consequence of a crowded engine."""
    of = found.standing
    detail: dict[str, Json] = {**told.detail, **_measured(of)}
    if of.status != "appraised":
        detail["needs"] = needs(of)
    since_change = "" if of.onset.place == 0 else f"; since: change of share, p {of.onset.p:.1g}"
    made = Look(
        mode=found.mode,
        place=found.place,
        since=of.since,
        until=of.until,
        n=of.n,
        tasks=of.tasks,
        status=of.status,
        usd_per_day=of.usd_per_day,
        low=of.low,
        high=of.high,
        is_discovery=of.is_discovery,
        sentence=unknown(found) if of.status != "appraised" else tried(found) or told.sentence,
        change=settle(of) if of.status != "appraised" else _LOG if tried(found) else told.change,
        inequality=told.inequality,
        method=wording.listed(sorted({part.method for part in of.counted or of.parts})) + since_change,
        terms=told.terms,
        weaknesses=(*told.weaknesses, *wording.weaknesses(of)),
        examples=dearest(connection, found.of, of, found.subject) if of.is_discovery else (),
        days=of.days,
        detail=detail,
    )
    if not of.is_discovery:
        return made
    waited = consequence(of, read_waits(connection, found.of.tenant_id, of, found.subject))
    return made if waited is None else without(made, waited)


def of_chosen(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The terms of what was chosen against what is better, of those of what is better against what was chosen."""
    return tuple(
        Term(
            term.name,
            None if term.usd_per_day is None else 0.0 - term.usd_per_day,
            None if term.high is None else 0.0 - term.high,
            None if term.low is None else 0.0 - term.low,
        )
        for term in terms
    )


def amounts(terms: Sequence[Term]) -> dict[str, float]:
    """The terms that are known, USD a day by name."""
    return {term.name: term.usd_per_day for term in terms if term.usd_per_day is not None}


def numbers(of: Estimate) -> Json:
    """An estimate as a look's detail holds it."""
    return {"value": of.value, "low": of.low, "high": of.high, "status": of.status, "why": of.why}


def tried(found: Found) -> str:
    """What is to be said of a place where something else is better and which is taken so seldom that this may be to learn; ""
    elsewhere."""
    of, place = found.standing, found.place
    if not (of.is_exploration and found.best):
        return ""
    return (
        f"{found.of.tenant} loses by {place.kind} {place.subject} in {found.task_class} what {found.best} would bring more,"
        f" but takes it in {of.share:.0%} of the cases only: that looks like trying it out, and is not counted."
    ).replace("%", " %")


def unknown(found: Found) -> str:
    """What is to be said of a place that could not be judged."""
    of, subject = found.standing, found.place.subject
    if of.status == "not_identified":
        return (
            f"What {found.of.tenant} loses by {found.place.kind} {subject} in {found.task_class} cannot be known from such logs."
        )
    return f"Too little is known to say what {found.of.tenant} loses by {found.place.kind} {subject} in {found.task_class}."


def settle(of: Standing) -> str:
    """What would make a place known."""
    if of.status == "not_identified":
        return "Log the probability of each choice and try other options in a share of cases, or state what choices follow from."
    wanted = needs(of)
    outcomes, exploration = wanted["outcomes"], wanted["exploration"]
    told = [f"wait for {outcomes:,} more outcomes" if isinstance(outcomes, int) else ""]
    told.append(
        f"try other options in {exploration:.0%} of the cases".replace("%", " %") if isinstance(exploration, float) else ""
    )
    known = " or ".join(word for word in told if word)
    return f"{known[0].upper()}{known[1:]}." if known else "Try the other options in a share of cases."


def _measured(of: Standing) -> dict[str, Json]:
    chosen = of.parts[0].chosen
    segments: list[Json] = [
        {
            "band": part.band, "best": part.best, "n": part.n, "regret_usd": part.regret_usd, "low_usd": part.low_usd,
            "high_usd": part.high_usd, "status": part.status, "is_discovery": part.is_discovery, "why": part.why,
        }
        for part in of.parts
    ]  # fmt: skip
    downstream = of.downstream
    return {
        "chosen": chosen,
        "segments": segments,
        "onset": {"p": of.onset.p, "share_before": of.onset.before, "share_since": None if of.share != of.share else of.share},
        "decisions_since": of.decisions,
        "explored_since": of.explored,
        "is_exploration": of.is_exploration,
        "downstream": None if downstream is None else dict(zip(("usd_per_day", "low", "high"), downstream, strict=True)),
    }
