"""One who looks at pages: asks the dashboard over HTTP what a browser would ask, and keeps what a browser would keep.

Which panels a page has is read from `dashboard.pages`; which addresses show something, from the books.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import psycopg

from dashboard.pages import PAGES, page_at

_ANSWER_WITHIN_S = 60.0


class Answered(NamedTuple):
    """One request: what was asked for, how long it took until the last byte, and how many bytes came."""

    page: str
    what: str
    ms: float
    size: int
    failed: bool


class Viewer:
    """Opens pages and refreshes them, one request after the other on one connection."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._page = ""
        self._path = ""
        self._search = ""
        self._held: dict[str, Any] = {}
        self._ticks = 0
        self._callbacks: list[dict[str, Any]] = []

    @classmethod
    def of(cls, port: int) -> Self:
        """A viewer of the dashboard on a port of loopback."""
        return cls(http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_WITHIN_S))

    def open(self, address: str) -> Iterator[Answered]:
        """Go to a page: its frame, the filter bar, and every panel."""
        path, _, search = address.partition("?")
        page = page_at(PAGES, path)
        self._page, self._path, self._search, self._held = page.name, path, f"?{search}" if search else "", {}
        url = [_property("url", "search", self._search), _property("url", "pathname", self._path)]
        yield self._ask("the page", "page.children", _output("page", "children"), url[1:])
        yield self._bar(url)
        for panel in page.panels:
            yield self._panel(panel.name)

    def refresh(self) -> Iterator[Answered]:
        """Ask every panel of the page that is open again, as its clock does."""
        self._ticks += 1
        for panel in page_at(PAGES, self._path).panels:
            yield self._panel(panel.name)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _bar(self, url: Sequence[object]) -> Answered:
        """The filters, and the links to other pages: whatever they are made of, the links are among it."""
        callback = self._callback("links.children")
        outputs = [_output(*part.rsplit(".", 1)) for part in callback["output"].strip(".").split("...")]
        state = [_property(of["id"], of["property"], self._held.get(of["id"])) for of in callback["state"]]
        return self._ask("the filter bar", callback["output"], outputs, url, state)

    def _callback(self, output: str) -> dict[str, Any]:
        """The callback with this output, as the page's scripts are told."""
        if not self._callbacks:
            self._connection.request("GET", "/_dash-dependencies")
            self._callbacks = json.loads(self._connection.getresponse().read())
        return next(each for each in self._callbacks if output in each["output"].strip(".").split("..."))

    def _panel(self, name: str) -> Answered:
        ids = {kind: {"panel": name, "type": kind} for kind in ("panel", "retry", "shape", "asked")}
        outputs = [_output(ids["panel"], "children"), _output(ids["retry"], "disabled"), _output(ids["shape"], "data")]
        inputs = [
            _property(ids["asked"], "data", [self._search, self._ticks]),
            _property(ids["retry"], "n_intervals", 0),
        ]
        state = [
            _property("url", "search", self._search),
            _property("url", "pathname", self._path),
            _property("tick", "n_intervals", self._ticks),
            _property(ids["panel"], "id", ids["panel"]),
            _property(ids["shape"], "data", self._held.get(name)),
        ]
        of_any = ("panel", "children"), ("retry", "disabled"), ("shape", "data")
        output = "...".join(f'{{"panel":["MATCH"],"type":"{kind}"}}.{name}' for kind, name in of_any)
        asked, shape = (json.dumps(ids[kind], sort_keys=True, separators=(",", ":")) for kind in ("asked", "shape"))
        return self._ask(name, f"..{output}..", outputs, inputs, state, f"{asked}.data", shape)

    def _ask(
        self,
        what: str,
        output: str,
        outputs: object,
        inputs: Sequence[object],
        state: Sequence[object] = (),
        changed: str = "url.pathname",
        shape: str = "",
    ) -> Answered:
        asked = {"output": output, "outputs": outputs, "inputs": inputs, "changedPropIds": [changed], "state": state}
        body = json.dumps(asked).encode()
        began = time.perf_counter()
        self._connection.request("POST", "/_dash-update-component", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        ms = (time.perf_counter() - began) * 1e3
        failed = answer.status not in (200, 204)
        if shape and answer.status == 200:
            told = json.loads(content)["response"]
            self._held[what] = told.get(shape, {}).get("data", self._held.get(what))
            failed = told.get(shape.replace("shape", "retry"), {}).get("disabled") is False
        return Answered(self._page, what, ms, len(content), failed)


def addresses(reader: psycopg.Connection) -> dict[str, str]:
    """An address of every page at which it shows something, by the page's name: things are taken from the books."""
    decision = _first(
        reader, "select decision_id::text, trace_id from ledger.decisions where regret_usd > 0 order by decided_at desc limit 1"
    )
    finding = _first(
        reader, "select finding_id, tenant from ledger.findings where status <> 'resolved' order by usd_per_day desc limit 1"
    )
    alert = _first(reader, "select alert_id, tenant from ledger.alerts order by opened_at desc limit 1")
    account = _first(
        reader,
        "select tenant, book, account from ledger.balances"
        " where day >= (select max(last_hour)::date - 1 from ledger.extent) order by abs(quantity) desc limit 1",
    )
    entry = _first(reader, f"select tenant, entry_id from ledger.trace_calls('{decision[1]}') limit 1") if decision else None
    rule = _first(reader, "select rule from ledger.alert_rules order by rule limit 1")
    named = decision and _first(
        reader, f"select coalesce(user_id, conversation_id, trace_id) from ledger.trace_calls('{decision[1]}') limit 1"
    )
    special: dict[str, Callable[[], str]] = {
        "trace": lambda: f"/trace/{decision[1]}" if decision else "",
        "decision": lambda: f"/decision?id={decision[0]}" if decision else "",
        "finding": lambda: f"/finding?tenant={finding[1]}&id={finding[0]}" if finding else "",
        "account": lambda: f"/account?tenant={account[0]}&book={account[1]}&account={account[2]}" if account else "",
        "entry": lambda: f"/entry?tenant={entry[0]}&entry={entry[1]}" if entry else "",
        "rule": lambda: f"/rule?rule={rule[0]}" if rule else "",
        "find": lambda: f"/find?q={quote(named[0])}" if named else "",
    }
    found = {page.name: special[page.name]() if page.name in special else page.path for page in PAGES}
    if alert:
        found["alerts, one of them"] = f"/alerts?tenant={alert[1]}&alert={alert[0]}"
    return {name: address for name, address in found.items() if address}


def _first(connection: psycopg.Connection, query: str) -> tuple[Any, ...] | None:
    return connection.execute(query.encode()).fetchone()


def _output(of: object, name: str) -> dict[str, object]:
    return {"id": of, "property": name}


def _property(of: object, name: str, value: object) -> dict[str, object]:
    return {"id": of, "property": name, "value": value}
