"""Cache misuse and stale rollouts in books that were kept of a few days of agents and a trainer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from analyzers.capital.capitalise import capitalise
from analyzers.modes import cache_misuse, stale_rollouts
from analyzers.modes.look import Look, Window
from analyzers.tasks import settle
from ledger import check
from ledger.database import connect
from ledger.post import open_tenants
from tests.books import AT, agent, chat, cloned, export, one, plain, price, rows, run
from tests.desk import book

DAYS = 6
WINDOW = Window(AT, AT + timedelta(days=DAYS))
_DAY_S = 86_400.0
_TASKS = 48
"""Of each kind; caches work for the first half of them and not for the second, and rollouts wait from then on."""


def task(number: int, kind: str) -> list[Span]:
    """A task of three calls that share 8,000 tokens: the first writes them and the others read them while caching works."""
    trace, at = 1_000 * (1 + ["churns", "forgets", "works"].index(kind)) + number, number * DAYS * _DAY_S / _TASKS
    is_broken = number >= _TASKS // 2
    spans = [agent(trace, 1, name=kind, task="fix", at=at, seconds=40)]
    for place in range(3):
        writes = place == 0 or (is_broken and kind == "churns")
        is_silent = is_broken and kind == "forgets"
        cached = None if writes or is_silent else 8_000
        written = 8_000 if writes and not is_silent else None
        spans.append(
            chat(trace, 2 + place, 1, input=10_000, output=100, cached=cached, written=written, at=at + 1 + 10 * place,
                 id=f"{kind}-{number}-{place}", gen_ai__agent__name=kind)
        )  # fmt: skip
    return spans


def update(number: int, value_usd: float | None) -> list[Span]:
    """One batch of rollouts, and the update that consumed it: a version later at first, eight later from the middle on."""
    trace, at = 9_000 + number, number * DAYS * _DAY_S / _TASKS
    lag = 1 if number < _TASKS // 2 else 8
    noise = ((number * 7_919) % 13 - 6) * 1e-5
    batch = [
        agent(trace, 1, name="trainer", at=at, seconds=50, allocation__use="rollout"),
        chat(trace, 2, 1, input=1_000 + 10 * (number % 7), output=500, at=at + 1, id=f"r{number}", allocation__use="rollout"),
        chat(trace, 3, 1, input=2_000, output=20, at=at + 3, id=f"v{number}", allocation__use="reward"),
    ]
    consumed = plain(
        trace + 500, 1, name="policy_update", at=at + 60, allocation__use="update", allocation__policy__version=number,
        allocation__policy__trained_version=number + lag, allocation__training__gain=0.004 - 0.0008 * lag + noise,
        allocation__task__value_usd=value_usd, gen_ai__agent__name="trainer",
    )  # fmt: skip
    link = consumed.links.add()
    link.trace_id, link.span_id = batch[0].trace_id, batch[0].span_id
    return [*batch, consumed]


def without_versions(number: int) -> Span:
    """An update of one of two trainers: of `quiet` none says how old its rollouts were, of `half` every other one does not."""
    told = update(number, 300.0)[-1]
    name = "quiet" if number % 4 == 0 else "half"
    told.trace_id = (20_000 + number).to_bytes(16, "big")
    for attribute in told.attributes:
        if attribute.key == "gen_ai.agent.name":
            attribute.value.string_value = name
        if attribute.key == "allocation.policy.version" and number % 4 in (0, 1):
            attribute.value.string_value = f"step-{number}"
    return told


@pytest.fixture(scope="module")
def books_of_capital(server: str, template: str) -> Iterator[str]:
    """Tenant `acme` states what capability is worth, tenant `globex` does not."""
    with cloned(server, template, "pigou_capital") as dsn:
        with connect(dsn, "owner") as owner:
            price(owner)
        tasks = [task(number, kind) for number in range(_TASKS) for kind in ("churns", "forgets", "works")]
        trained = [update(number, 300.0) for number in range(_TASKS)]
        book(dsn, [export(*(span for spans in [*tasks, *trained] for span in spans), tenant="acme")])
        book(dsn, [export(*(span for number in range(_TASKS) for span in update(number, None)), tenant="globex")])
        book(dsn, [export(*(without_versions(number) for number in range(_TASKS)), tenant="initech")])
        with connect(dsn, "owner") as owner:
            run(owner, "update pigou.task_due set due_at = '-infinity'")
        with connect(dsn, "writer") as writer:
            settle(writer)
        yield dsn


def faults(connection: psycopg.Connection) -> list[str]:
    return [example for result in check.run(connection) if not result.ok for example in result.examples]


def looks(dsn: str, mode: object, tenant: str = "acme") -> dict[tuple[str | None, str], Look]:
    """Looks by agent and subject."""
    look = cache_misuse.look if mode is cache_misuse else stale_rollouts.look
    with connect(dsn, "writer") as writer:
        found = look(writer, open_tenants(writer, [tenant])[tenant], WINDOW)
    return {(each.place.agent, each.place.subject): each for each in found}


def test_writes_and_misses_are_found_at_their_agents_with_the_dollars_of_the_books(books_of_capital: str) -> None:
    found = looks(books_of_capital, cache_misuse)
    assert {place for place, each in found.items() if each.is_discovery} == {
        ("churns", "writes never repaid"),
        ("forgets", "missed hits"),
    }
    days, tasks = DAYS / 2, _TASKS / 2
    churns = found["churns", "writes never repaid"]
    # Two calls of three wrote what they could have read.
    assert churns.usd_per_day == pytest.approx(tasks * 2 * 8_000 * (2.5 - 0.2) / 1e6 / days, rel=0.03)
    assert churns.detail["writes"] == pytest.approx(
        {"closed": 72, "unpaid": 72, "repaid": 0, "premium_usd": 72 * 8_000 * 0.5e-6, "saved_usd": 0.0, "reads_per_write": 0.0,
         "break_even_reads": 0.5 / 1.8, "written_off_usd": 72 * 8_000 * 0.5e-6}
    )  # fmt: skip
    assert churns.since == pytest.approx(AT + timedelta(days=DAYS / 2), abs=timedelta(seconds=60))
    assert sum(day.usd for day in churns.days) == pytest.approx((churns.usd_per_day or 0.0) * days, rel=0.03)
    forgets = found["forgets", "missed hits"]
    assert forgets.usd_per_day == pytest.approx(tasks * 8_000 * (2 * 1.8 - 0.5) / 1e6 / days, rel=0.03)
    assert "caching off" in forgets.sentence
    works = found["works", "writes never repaid"]
    assert works.usd_per_day == pytest.approx(-_TASKS * 8_000 * (2 * 1.8 - 0.5) / 1e6 / DAYS, rel=0.03)


def test_stale_batches_are_found_at_their_trainer(books_of_capital: str) -> None:
    [(place, found)] = looks(books_of_capital, stale_rollouts).items()
    assert place == ("trainer", "stale rollouts")
    assert found.is_discovery
    assert found.since == pytest.approx(AT + timedelta(days=DAYS / 2), abs=timedelta(seconds=120))
    assert found.usd_per_day == pytest.approx(300 * 0.0008 * 7 * _TASKS / 2 / (DAYS / 2), rel=0.1)
    assert found.detail["reference_lag"] == 1.0
    by_lag = found.detail["by_lag"]
    assert isinstance(by_lag, list)
    last = by_lag[-1]
    assert isinstance(last, dict)
    assert (last["lag"], last["updates"]) == (8.0, _TASKS / 2)
    spent = found.detail["spent_past_the_point_usd_per_day"]
    assert spent == pytest.approx(sum(1e-6 * (2 * (3_000 + 10 * (n % 7)) + 10 * 520) for n in range(24, 48)) / 3, rel=0.01)


def test_what_findings_say_is_written_off_is_what_is_booked(books_of_capital: str) -> None:
    churns = looks(books_of_capital, cache_misuse)["churns", "writes never repaid"]
    written_off = (
        "select kind, sum(written_off_usd), count(*) from ledger.assets"
        " where tenant = 'acme' and since >= %s and written_off_usd > 0 group by kind order by kind"
    )
    with connect(books_of_capital, "writer") as writer:
        capitalise(writer, now=WINDOW.until + timedelta(days=1))
        found = rows(writer, written_off, churns.since)
        # The calls that generated the late batches, priced as the books price them, without those that judged them.
        late = sum(1e-6 * (2 * (1_000 + 10 * (n % 7)) + 10 * 500) for n in range(_TASKS // 2, _TASKS))
        used = one(
            writer,
            "select count(*) from ledger.assets"
            " where tenant = 'acme' and kind = 'rollouts' and depreciated_usd = capitalised_usd",
        )
        assert faults(writer) == []
    writes = churns.detail["writes"]
    assert isinstance(writes, dict)
    assert [(kind, float(usd), count) for kind, usd, count in found] == [
        ("cache", pytest.approx(writes["written_off_usd"]), writes["unpaid"]),
        ("rollouts", pytest.approx(late), _TASKS / 2),
    ]
    assert used == _TASKS / 2


def test_what_nobody_says_the_worth_of_has_no_dollars(books_of_capital: str) -> None:
    [found] = looks(books_of_capital, stale_rollouts, "globex").values()
    assert (found.status, found.usd_per_day, found.is_discovery) == ("not_identified", None, False)
    assert "allocation.task.value_usd" in found.change
    assert found.detail["capability_lost"] != [0.0, 0.0, 0.0]


def test_updates_that_do_not_tell_how_old_their_rollouts_were_are_said(books_of_capital: str) -> None:
    found = looks(books_of_capital, stale_rollouts, "initech")
    quiet, half = found["quiet", "stale rollouts"], found["half", "stale rollouts"]
    assert (quiet.status, quiet.usd_per_day, quiet.n) == ("not_identified", None, 12)
    assert "none of its 12 updates says how many versions old" in quiet.sentence
    assert "allocation.policy.trained_version on updates, as numbers" in quiet.change
    assert (half.status, half.n) == ("appraised", 24)
    assert "12 of 36 updates do not tell how old their rollouts were, and are left out" in half.weaknesses
