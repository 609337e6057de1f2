"""`pigou demo` as a newcomer runs it, on a short period: played once, shown again, kept apart from other books."""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.postgres import wait_until
from dashboard.queries import named
from tests.pigou_process import RSS_MB_MAX, RunningPigou, new_folder, run_pigou

DEMO = ("demo", "--days", "0.1")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with new_folder() as folder:
        yield folder


def test_it_is_ready_with_the_economy_in_the_books_and_shows_it_again_with_what_to_try(home: Path) -> None:
    summary = "select count(*), count(distinct tenant), sum(cost_usd) from ledger.calls"
    with RunningPigou(home, command=DEMO) as first:
        first.wait_until_said("^ready: ")
        assert first.output.lower().count("ready") == 1  # what waits for the word must not be misled
        assert first.output.splitlines()[-1].startswith("ready: ")
        assert re.findall(r"http://127\.0\.0\.1:\d+", first.output)[-1] == first.dashboard_url
        with urllib.request.urlopen(first.dashboard_url, timeout=10) as page:
            assert page.status == 200
        [(calls, tenants, cost_usd)] = first.sql(summary)
        assert calls > 50  # a night has fewer than a day
        assert tenants == 3
        assert cost_usd > 0
        [(own,)] = first.sql("select count(*) from ledger.calls where model = 'fleet-32b' and cost_usd is not null")
        assert own > 0
        assert json.loads((home / "truth.json").read_text())["counts"]
        assert "of 9 injected misallocations found" in first.output
        assert weighs_little_at_rest(first)
        assert tables_read(first.dashboard_url) > 10
        assert weighs_little_at_rest(first)  # with all that the page's backends have read
        assert first.stop() == 0
    with RunningPigou(home, command=DEMO) as again:
        assert "playing" not in again.output
        assert again.sql(summary) == [(calls, tenants, cost_usd)]
        what_it_says_to_try_works(again)


def weighs_little_at_rest(demo: RunningPigou) -> bool:
    """Whether it comes to weigh what it may while nothing is appraised."""
    return wait_until(lambda: not demo.is_appraising and demo.rss_mb() < RSS_MB_MAX, 120)


def what_it_says_to_try_works(demo: RunningPigou) -> None:
    tries = [shlex.split(line)[1:] for line in demo.output.splitlines() if line.startswith("  ")]
    assert [command for command, *_ in tries] == ["sql", "statement", "findings", "check"]
    for arguments in tries:
        done = run_pigou(*arguments)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) > (1 if "findings" in arguments else 3)


def tables_read(dashboard_url: str) -> int:
    """Read every table of the page, several at once, as open pages do; how many there were that need no trace to be named."""

    def status(table: str) -> int:
        try:
            with urllib.request.urlopen(f"{dashboard_url}/csv/{table}.csv?range=30d", timeout=60) as answer:
                return len(answer.read()) and answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    with ThreadPoolExecutor(6) as readers:
        statuses = list(readers.map(status, named()))
    assert set(statuses) <= {200, 400}
    return statuses.count(200)


def test_an_interrupted_play_is_played_again_to_the_same_books(home: Path) -> None:
    """What the first part of it had booked is recognised."""
    count = "select count(*) from ledger.calls"
    kept = json.loads((home / "demo.json").read_text())
    (home / "demo.json").write_text(json.dumps(kept | {"sent": False, "finished": False}))
    with RunningPigou(home, command=DEMO) as again:
        assert "playing 0.1 days of a simulated fleet" in again.output
        assert again.sql("select count(*) from ledger.conflicts") == [(0,)]
        [(calls,)] = again.sql(count)
        assert json.loads((home / "demo.json").read_text()) == kept
        assert again.stop() == 0
    with RunningPigou(home, command=DEMO) as last:
        assert last.sql(count) == [(calls,)]


def test_an_interrupted_appraisal_goes_on_without_another_play(home: Path) -> None:
    kept = json.loads((home / "demo.json").read_text())
    (home / "demo.json").write_text(json.dumps(kept | {"finished": False}))
    with RunningPigou(home, command=DEMO) as again:
        assert "playing" not in again.output
        assert "appraising" in again.output
        assert "of 9 injected misallocations found" in again.output
        assert json.loads((home / "demo.json").read_text()) == kept


def test_other_books_than_the_demos_are_left_alone(home: Path) -> None:
    other = run_pigou(*DEMO, "--seed", "2", "--home", home)
    assert other.returncode == 2
    assert other.stderr == (
        f"pigou: {home} holds the demo of --seed 1 --days 0.1; start it with these, or begin anew with --fresh\n"
    )
    with new_folder() as own:
        (own / "postgres").mkdir()
        (own / "postgres" / "PG_VERSION").write_text("18\n")
        for fresh in ((), ("--fresh",)):
            refused = run_pigou(*DEMO, *fresh, "--home", own)
            assert refused.returncode == 2
            assert refused.stderr == f"pigou: {own} holds books that are not a demo's; choose another --home for the demo\n"
        assert (own / "postgres" / "PG_VERSION").exists()


def test_a_fresh_one_begins_anew_and_goes_on_live(home: Path) -> None:
    with RunningPigou(home, command=("demo", "--days", "0.1", "--seed", "3", "--fresh", "--live", "3000")) as fresh:
        assert fresh.sql("select count(*) > 0 from ledger.calls") == [(True,)]
        assert "economy" in fresh.parts
        deadline = time.monotonic() + 60
        live = "select count(*) from ledger.spans where started_at > now() - interval '2 minutes'"
        while fresh.sql(live) == [(0,)]:
            assert time.monotonic() < deadline, fresh.output
            time.sleep(0.5)
        assert fresh.rss_mb() < RSS_MB_MAX
