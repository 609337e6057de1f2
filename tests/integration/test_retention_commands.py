"""`pigou retention` as it is typed: what it prints, and how it refuses; and what `pigou doctor` says of strays."""

from __future__ import annotations

import csv
import io

import psycopg
import pytest

from tests.books import chat, export, price
from tests.desk import book
from tests.typed import Typed


def kept(pigou: Typed) -> dict[str, str]:
    """Days by kind, as `show` prints them."""
    _, out, _ = pigou("retention", "show", "--format", "csv")
    return {row["kind"]: row["keep_days"] for row in csv.DictReader(io.StringIO(out))}


def test_what_is_set_is_shown(pigou: Typed) -> None:
    before = {"records": "90", "metrics": "90", "minutes": "30", "rejections": "90", "texts": "30", "deliveries": "90"}
    assert kept(pigou) == before
    assert pigou("retention", "set", "records", "30")[:2] == (0, "records: kept for 30 days\n")
    assert pigou("retention", "set", "metrics", "forever")[:2] == (0, "metrics: kept for ever\n")
    assert kept(pigou) == before | {"records": "30", "metrics": ""}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("records", "soon"), 2, "give a whole number, or forever"),
        (("records", "-5"), 2, ""),
        (("records", "0"), 2, "1 to 36500 days"),
        (("entries", "90"), 2, "choose among records, metrics, minutes, rejections, texts, deliveries"),
    ],
)
def test_what_cannot_be_kept_is_refused(pigou: Typed, arguments: tuple[str, str], code: int, said: str) -> None:
    answered, _, err = pigou("retention", "set", *arguments)
    assert answered == code
    assert said in err


def test_run_says_what_went(pigou: Typed, dsn: str, writer: psycopg.Connection) -> None:
    assert pigou("retention", "run")[:2] == (0, "nothing is past its retention\n")
    writer.execute("select pigou.ensure_month((now() - interval '200 days')::date)")
    code, out, _ = pigou("retention", "run")
    assert code == 0
    assert "records: dropped record_2" in out
    assert "entry" not in out


def test_the_doctor_counts_strays(pigou: Typed, dsn: str, writer: psycopg.Connection) -> None:
    price(writer)
    book(dsn, [export(chat(1, 1, at=3e8))])
    _, out, _ = pigou("doctor")
    assert "note  partitions" in out
    assert "1 of record" in out
