"""What people do on pages: who may, what is asked of the collector, what they are told; and quotes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from dashboard.acts import Act, Refused, Target, act, ask, refusal, within
from dashboard.pages.acting import asked_with, told
from dashboard.pages.alert_words import value_said
from dashboard.pages.quote import answered, options_of

ALERT = Target("alerts", "acme", 12)
UNTIL = datetime(2026, 3, 14, 13, 26, tzinfo=UTC)


@pytest.mark.parametrize("host", ["127.0.0.1:4320", "localhost:4320", "localhost", "[::1]:4320", "127.3.2.1"])
@pytest.mark.parametrize("site", [None, "same-origin"])
def test_this_machine_may_act(host: str, site: str | None) -> None:
    assert refusal(host, site) is None


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("pigou.example", "same-origin"), ("127.0.0.1.evil.example:4320", None), ("localhost.evil.example", None), ("", None),
        ("127.0.0.1:4320", "cross-site"), ("localhost:4320", "same-site"), ("localhost", "none"),
    ],
)  # fmt: skip
def test_other_names_and_other_sites_may_not(host: str, site: str | None) -> None:
    said = refusal(host, site)
    assert said
    assert said.startswith("Nothing was done")


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is asked, and answers as it is told to."""

    asked: list[tuple[str, object]]
    answer: tuple[int, bytes]
    field: str | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, json.loads(body)))
        status, content = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.field:
            self.send_header("Pigou-Field", self.field)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, type[Collector]]]:
    """Where a collector answers, and what it was asked."""
    kind = type("Asked", (Collector,), {"asked": [], "answer": (200, b"{}")})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", kind
        server.shutdown()
        thread.join()


def test_an_act_is_asked_of_the_collector_with_who_and_why(collector: tuple[str, type[Collector]]) -> None:
    url, kind = collector
    assert act(url, ALERT, "mute", who="ann", note="at lunch", more={"until": UNTIL.isoformat()}) is None
    assert act(url + "/", Target("findings", "beta", 3), "acknowledge", who="ann", note="") is None
    assert kind.asked == [
        ("/v1/alerts/12/mute", {"tenant": "acme", "who": "ann", "note": "at lunch", "until": "2026-03-14T13:26:00+00:00"}),
        ("/v1/findings/3/acknowledge", {"tenant": "beta", "who": "ann"}),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((409, b'{"detail": "alert 12 of acme is resolved already"}'), "alert 12 of acme is resolved already"),
        ((422, b'{"detail": [{"msg": "x"}]}'), "the collector answered 422"),
        ((500, b"<html>"), "the collector answered 500"),
    ],
)
def test_a_refusal_is_told_in_the_collectors_words(
    collector: tuple[str, type[Collector]], answer: tuple[int, bytes], said: str
) -> None:
    url, kind = collector
    kind.answer = answer
    assert act(url, ALERT, "resolve", who="ann", note=None) == said


def test_a_collector_that_is_away_is_named_with_the_mend() -> None:
    said = act("http://127.0.0.1:9", ALERT, "resolve", who="ann", note=None)
    assert said
    assert said.startswith("the collector does not answer at http://127.0.0.1:9 (")
    assert "pigou up" in said


def test_what_was_done_and_what_was_not_is_told() -> None:
    other = Target("alerts", "beta", 4)
    assert told("mute", [ALERT, other], [], {"until": UNTIL.isoformat()}) == "2 alerts muted until 2026-03-14 13:26 UTC."
    assert told("resolve", [ALERT, other], [(other, "it is resolved already.")], {}) == (
        "1 alert resolved; 1 not, the first of them 4 of beta: it is resolved already."
    )
    assert told("acknowledge", [Target("findings", "a", 1)], [], {}) == "1 finding acknowledged."


@pytest.mark.parametrize(
    ("what", "chosen", "asked"),
    [
        ("mute", {}, {"until": "2026-03-14T17:26:00+00:00"}),
        ("mute", {"length": "1d", "day": "2026-03-20"}, {"until": "2026-03-20T00:00:00+00:00"}),
        ("dismiss", {}, {"ground": "intended"}),
        ("dismiss", {"ground": "not worth it", "lasts": "x2"}, {"ground": "not worth it", "grown_by": "2"}),
        ("dismiss", {"lasts": "30d"}, {"ground": "intended", "until": "2026-04-13T13:26:00+00:00"}),
        ("dismiss", {"lasts": "x2", "day": "2026-03-20"}, {"ground": "intended", "until": "2026-03-20T00:00:00+00:00"}),
        ("resolve", {"day": "2026-03-20"}, {}),
    ],
)
def test_what_is_chosen_is_what_is_asked(what: Act, chosen: dict[str, str], asked: dict[str, object]) -> None:
    nothing: dict[str, str | None] = {"length": None, "ground": None, "lasts": None, "day": None}
    assert asked_with(what, UNTIL, **nothing | chosen) == asked


def test_a_refusal_names_its_field(collector: tuple[str, type[Collector]]) -> None:
    url, kind = collector
    kind.answer, kind.field = (409, b'{"detail": "a view has a name"}'), "name"
    assert ask(url, "/v1/views", {"name": ""}) == Refused("a view has a name", "name")
    assert within("a/b c") == "a%2Fb%20c"


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        ("unpriced_share", Decimal("0.021875"), "2.19 %"),
        ("budget_overrun", Decimal("1.124"), "112 % spent"),
        ("books_check", Decimal(1), "1 commodity"),
        ("delivery", Decimal("12.5"), "12.5 minutes"),
        ("misallocation", Decimal("41.2"), "$41.20 a day"),
        ("one of tomorrow", Decimal("3.25"), "3.25"),
        ("delivery", None, "not known"),
    ],
)
def test_what_an_alert_measures_has_its_unit(rule: str, value: Decimal | None, said: str) -> None:
    assert value_said(rule, value).replace("\N{NARROW NO-BREAK SPACE}", " ") == said


# ── quotes ───────────────────────────────────────────────────────────────────────────────────────────

PRICES: dict[str, object] = {
    "v_usd": Decimal(2), "lambda_usd_per_s": Decimal("0.001"), "rho": Decimal(1), "budget_worth": Decimal(2),
    "v_source": "policy", "lambda_source": "dual", "rho_source": "policy",
}  # fmt: skip
MENU = "small, 0.90, 0.002, 2, 0.01\nlarge, 0.96, $0.050, 6, 0.01"
AS_HELD = (None, "", None)


def test_a_quote_chooses_by_the_prices_that_hold() -> None:
    said = str(answered(PRICES, MENU, AS_HELD))
    assert "Choose large: it nets $1.85 a task, $0.068 ahead of the next." in said
    assert "From V = $1.73 on, large is better than small." in said, "(0.048 + 0.004) / 0.06, in dollars of value: times 2"


def test_a_price_that_is_tried_wins_over_the_one_that_holds() -> None:
    said = str(answered(PRICES, MENU, ("0.5", None, None)))
    assert "Choose small" in said
    assert "(tried)" in said
    assert "Leave such tasks alone: even small takes" in str(answered(PRICES, MENU, ("0.01", None, None)))


def test_what_is_left_out_is_not_known_and_refuses_the_option() -> None:
    said = str(answered(PRICES, "small, 0.9, 0.002\nlarge, 0.96, 0.05, 6, 0", AS_HELD))
    assert "small cannot be compared: latency_s is not known" in said
    assert "No option can be compared yet" in str(answered({}, MENU, AS_HELD))


@pytest.mark.parametrize(
    ("menu", "said"),
    [
        ("", "the menu is empty"),
        ("small, good", "the quality 'good' is no number"),
        ("small, 90", "the quality of small is 90, and lies between 0 and 1"),
        ("small, 1, 2, 3, 4, 5", "is not a name and up to four numbers"),
        ("a, 1, 1, 1, 1\na, 1, 1, 1, 1", "a"),
        ("a, 1, -inf, 1, 1", "a"),
        ("\n".join(f"m{n}, 1" for n in range(21)), "at most 20 options"),
    ],
)
def test_a_menu_that_cannot_be_is_refused_with_the_reason(menu: str, said: str) -> None:
    answer = str(answered(PRICES, menu, AS_HELD))
    assert "This cannot be quoted" in answer
    assert said in answer


def test_blank_lines_and_blank_amounts_are_fine() -> None:
    (option,) = options_of("\nsmall, , 0.5\n\n")
    assert (option.name, option.quality, option.cost_usd, option.latency_s) == ("small", None, 0.5, None)
