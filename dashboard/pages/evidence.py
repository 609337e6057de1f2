"""What a finding rests on, by failure mode: what was compared, how many cases, and what the mode measured beside its dollars."""

from collections.abc import Callable
from typing import cast

from dash import html

from dashboard import formats
from dashboard.components.panel import Children, View, nothing
from dashboard.components.plain_table import plain_table
from dashboard.components.terms import term
from dashboard.pages.evidence_of_choices import delegation, routing, verification
from dashboard.pages.evidence_of_machines import cache, congestion, rollouts
from dashboard.pages.evidence_words import Detail, estimate, mapping, number, of_task

Row = dict[str, object]
_OF_MODE: dict[str, Callable[[View, Detail], Children]] = {
    "over_routing": routing,
    "under_routing": routing,
    "over_delegation": delegation,
    "under_verification": verification,
    "serving_congestion": congestion,
    "stale_rollouts": rollouts,
    "cache_misuse": cache,
}
_VERDICTS = {"not_enough_evidence": "not enough evidence", "not_identified": "cannot be told"}


def evidence(view: View) -> Children:
    """What was compared with what; then what only this mode knows."""
    row = view.ask("finding", values={"finding_id": str(view.filters.finding or 0)}).first()
    if row is None:
        return [nothing("Nothing.")]
    detail = mapping(mapping(row["evidence"]).get("detail"))
    segments = list(view.ask("finding_segments", values={"finding_id": str(view.filters.finding or 0)}))
    said: Children = [*_compared(row, detail, segments), *_OF_MODE.get(str(row["mode"]), _nothing_more)(view, detail)]
    return said or [nothing("The mode tells no more than its terms.")]


def _nothing_more(_view: View, _detail: Detail) -> Children:
    return []


def _compared(row: Row, detail: Detail, segments: list[Row]) -> Children:
    """The segments that were compared, when the choice changed, and how many decisions the dollars count."""
    if not segments:
        return []
    kind, chosen = row["kind"], formats.option(row["kind"], detail.get("chosen"))
    said: Children = [_since_when(row, detail, chosen)]
    rows = [
        [
            of_task(each["band"]),
            formats.option(kind, each["best"]) if each["best"] else "nothing",
            f"{each['n']:,}",
            *estimate(each["regret_usd"], each["low_usd"], each["high_usd"]),
            _verdict(each),
        ]
        for each in segments
    ]
    said.append(
        plain_table(
            f"{chosen}, compared with what else was tried in alike cases, by what the task was worth",
            ["Tasks worth", "Better would be", "Decisions", "Lost in all, USD", term("95 % interval"), "Verdict"],
            rows,
            words=2,
        )
    )
    counted, learnt = number(detail.get("decisions_since")), number(detail.get("explored_since"))
    words = f"The dollars a day count {formats.count(counted, 'decision')} since then"
    words += f", and not the {formats.count(learnt, 'decision')} that were taken at random to learn" if learnt else ""
    said.append(html.P(f"{words}.", className="note"))
    return said


def _since_when(row: Row, detail: Detail, chosen: str) -> html.P:
    onset = mapping(detail.get("onset"))
    before, since = number(onset.get("share_before")), number(onset.get("share_since"))
    at = formats.moment(row["since"])[:16]
    if before is None or since is None:
        return html.P(f"No change of habit was found: {chosen} may have been chosen so since before the cases looked at.")
    p = number(onset.get("p"))
    chance = "" if p is None else f" By chance that would be so once in {1 / p:,.0f}." if p > 1e-6 else " That is no chance."
    return html.P(
        f"Of the cases in which it is not known to be the best, {chosen} was taken in {formats.share(before, 1)} before {at} UTC,"
        f" and in {formats.share(since, 1)} since.{chance}",
    )


def _verdict(segment: Row) -> str:
    if segment["is_discovery"]:
        return "stands"
    return _VERDICTS.get(cast(str, segment["status"]), "may be chance")
