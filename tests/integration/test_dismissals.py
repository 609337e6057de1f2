"""Findings that people dismiss: nothing is told of them, looks go on, and what ends a dismissal is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from analyzers.alerts import evaluate
from ledger import findings
from ledger.findings import Dismissal, FindingError, UnknownFinding, dismiss, restore
from tests.books import one, rows
from tests.looked import BEGAN, found, look_of
from tests.typed import Typed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INTENDED = Dismissal("intended")
NOTE = "<b>the large model</b> is what we promised"


def history(connection: psycopg.Connection, finding: int = 1) -> list[tuple[Any, ...]]:
    return rows(connection, "select event, who, note from ledger.finding_events where finding_id = %s order by event_id", finding)


def open_alerts(connection: psycopg.Connection) -> int:
    return one(connection, "select count(*) from ledger.alerts where state <> 'resolved'")


@pytest.fixture
def opened(writer: psycopg.Connection) -> psycopg.Connection:
    """A finding that loses 4 USD a day, with its alert."""
    found(writer, [look_of(4)])
    evaluate(writer, BEGAN + timedelta(seconds=5))
    assert rows(writer, "select state, threshold, mode from ledger.alerts") == [("open", Decimal("0.5"), "over_routing")]
    return writer


def test_what_is_dismissed_is_not_told_and_is_looked_at(opened: psycopg.Connection) -> None:
    assert dismiss(opened, 1, INTENDED, who="ann", note=NOTE) == "acme"
    seen = "select status, dismissed_as, dismissed_by, dismissed_note, dismissed_until, alert_id from ledger.findings"
    assert rows(opened, seen) == [("dismissed", "intended", "ann", NOTE, None, None)]
    told = rows(opened, "select event, who, note, is_to_be_told from ledger.alert_events order by event_id")
    assert told[-1] == ("resolved", "ann", f"the finding was dismissed: {NOTE}", True)
    evaluate(opened, BEGAN + HOUR)
    found(opened, [look_of(9)], BEGAN + 2 * HOUR)
    evaluate(opened, BEGAN + 3 * HOUR)
    assert open_alerts(opened) == 0, "grown to more than twice, and still dismissed"
    assert rows(opened, "select usd_per_day, status from ledger.findings") == [(9, "dismissed")]
    assert history(opened)[1:] == [("dismissed", "ann", f"intended, for good: {NOTE}"), ("grew", None, None)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        opened.execute("update pigou.dismissal set note = ''")


def test_it_holds_for_the_place(opened: psycopg.Connection) -> None:
    """What comes back there is dismissed, until somebody restores it; then it alerts again."""
    dismiss(opened, 1, INTENDED, who="ann", note="as promised")
    found(opened, [look_of(0, half=0.1)], BEGAN + 2 * DAY)
    assert rows(opened, "select status, dismissed_at from ledger.findings") == [("resolved", None)]
    found(opened, [look_of(5)], BEGAN + 3 * DAY)
    assert rows(opened, "select finding_id, status from ledger.findings order by 1") == [(1, "resolved"), (2, "dismissed")]
    evaluate(opened, BEGAN + 3 * DAY)
    assert open_alerts(opened) == 0
    assert restore(opened, 2, who="bo", note="no longer", tenant="acme") == "acme"
    assert history(opened, 2)[-1] == ("restored", "bo", "no longer")
    assert one(opened, "select status from ledger.findings where finding_id = 2") == "open"
    evaluate(opened, BEGAN + 4 * DAY)
    assert open_alerts(opened) == 1
    with pytest.raises(FindingError, match="finding 2 of acme is not dismissed"):
        restore(opened, 2, who="bo")


def test_it_ends_when_the_loss_has_grown(opened: psycopg.Connection) -> None:
    dismiss(opened, 1, Dismissal("not worth it", grown_by=Decimal("1.5")), who="ann", note="later")
    assert history(opened)[-1][2] == "not worth it, until it loses 6.00 USD a day: later"
    found(opened, [look_of(5.9)], BEGAN + HOUR)
    assert one(opened, "select status from ledger.findings") == "dismissed"
    found(opened, [look_of(6.1)], BEGAN + 2 * HOUR)
    assert history(opened)[-1] == ("lapsed", None, "it loses 6.10 USD a day")
    found(opened, [look_of(4)], BEGAN + 3 * HOUR)
    assert one(opened, "select status from ledger.findings") == "open", "what has lapsed does not come back by itself"
    evaluate(opened, BEGAN + 3 * HOUR)
    assert open_alerts(opened) == 1


def test_it_ends_with_its_time(opened: psycopg.Connection) -> None:
    until = datetime.now(UTC) + 2 * DAY
    dismiss(opened, 1, Dismissal("not worth it", until), who="ann", note="after the fair")
    assert rows(opened, "select status, dismissed_until from ledger.findings") == [("dismissed", until)]
    evaluate(opened, until - HOUR)
    assert open_alerts(opened) == 0
    evaluate(opened, until + HOUR)
    assert open_alerts(opened) == 1
    found(opened, [look_of(4)], until + HOUR)
    assert history(opened)[-1] == ("lapsed", None, "its time is over")


def test_what_cannot_be_dismissed(opened: psycopg.Connection) -> None:
    over = Dismissal("intended", datetime.now(UTC) - HOUR)
    for dismissal, note, said, field in (
        (INTENDED, "  ", "a dismissal says why", "note"),
        (over, "why", "until a time to come", "until"),
        (Dismissal("intended", grown_by=Decimal(1)), "why", "until it has grown", "grown_by"),
    ):
        with pytest.raises(FindingError, match=said) as refused:
            dismiss(opened, 1, dismissal, who="ann", note=note)
        assert refused.value.field == field
    with pytest.raises(UnknownFinding, match="there is no finding 7 of acme"):
        dismiss(opened, 7, INTENDED, who="ann", note="why", tenant="acme")
    assert open_alerts(opened) == 1
    found(opened, [look_of(0, half=0.1)], BEGAN + 2 * DAY)
    with pytest.raises(FindingError, match="is resolved already"):
        dismiss(opened, 1, INTENDED, who="ann", note="why")
    assert findings.list_findings(opened, "acme", statuses=["dismissed"], mode=None, before=None, limit=9) == []


def test_the_commands(pigou: Typed, opened: psycopg.Connection) -> None:
    typed = ("findings", "dismiss", "1", "--as", "not-worth-it", "--note", "small", "--who", "ann", "--grown-by", "2")
    assert pigou(*typed) == (0, "acme: finding 1 dismissed\n", "")
    [row] = json.loads(pigou("findings", "list", "--dismissed", "--format", "json")[1])
    said = {"dismissed_as": "not worth it", "dismissed_by": "ann", "dismissed_until_usd_per_day": 8.0, "dismissed_note": "small"}
    assert row | said == row
    assert json.loads(pigou("findings", "list", "--format", "json")[1]) == []
    assert len(json.loads(pigou("findings", "list", "--all", "--format", "json")[1])) == 1
    assert pigou("findings", "restore", "1", "--who", "ann") == (0, "acme: finding 1 restored\n", "")
    for wrong, said in (
        (("restore", "1"), "is not dismissed"),
        (("dismiss", "1", "--as", "intended", "--note", " "), "a dismissal says why"),
        (("dismiss", "1", "--as", "intended", "--note", "x", "--until", "2020-01-01"), "a time to come"),
        (("dismiss", "1", "--as", "so", "--note", "x"), "so"),
        (("dismiss", "1", "--as", "intended", "--note", "x", "--grown-by", "much"), "is no number"),
    ):
        code, out, err = pigou("findings", *wrong)
        assert (code, out, said in err) == (2, "", True), err
    assert one(opened, "select status from ledger.findings") == "open"
