"""Pictures of the pages over the demo: what is shown, how high, and where it is kept."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

WIDTH_PX = 1440
QUALITIES = (62, 45, 32, 22, 14)
"""Tried from the first on, until the picture is small enough to be kept."""
Sql = Callable[[str], list[tuple[object, ...]]]


@dataclass(frozen=True)
class Shot:
    """A picture by its name: of which path, and, where the path wants an id, the query that answers the rest of the address."""

    name: str
    path: str
    rest: str = ""
    height_px: int = 1500
    bytes_max: int = 62_000

    def address(self, sql: Sql) -> str:
        """Where it is in these books."""
        return self.path if not self.rest else f"{self.path}{sql(self.rest)[0][0]}"


_FINDING = """
select format('?tenant=%s&id=%s', tenant, finding_id) from ledger.findings where mode = '{}' order by usd_per_day desc limit 1
"""
_CASE = """
select format({}) from ledger.finding_examples e join ledger.findings f using (tenant, finding_id)
 where f.mode = 'over_delegation' order by e.usd desc, e.example limit 1
"""
_ENTRY = """
select format('?tenant=%s&entry=%s', tenant, entry_id) from ledger.entries
 where kind = 'call' and source = 'otel_genai' order by occurred_at desc, entry_id limit 1
"""
_ANSWER = """
select response_id from ledger.calls where response_id is not null
 group by tenant, response_id order by count(distinct trace_id) desc, sum(cost_usd) desc nulls last, 1 limit 1
"""
SHOTS = (
    Shot("overview", "/", height_px=1960, bytes_max=140_000),
    Shot("findings", "/findings"),
    *(
        Shot(f"finding-{mode.replace('_', '-')}", "/finding", _FINDING.format(mode), height_px=1800)
        for mode in (
            "over_routing", "under_routing", "over_delegation", "under_verification", "serving_congestion", "stale_rollouts",
            "cache_misuse",
        )
    ),
    Shot("decision", "/decision", _CASE.format("'?tenant=%s&id=%s', e.tenant, e.decision_id")),
    Shot("trace", "/trace/", _CASE.format("'%s?tenant=%s&span=%s', e.trace_id, e.tenant, e.span_id"), height_px=1100),
    Shot("allocation", "/allocation", height_px=1900),
    *(Shot(f"layer-{layer}", f"/layers?layer={layer}", height_px=1700) for layer in ("demand", "action", "supply", "capital")),
    Shot("decisions", "/decisions", height_px=1000),
    Shot("prices", "/prices"),
    Shot("alerts", "/alerts", height_px=1300),
    Shot("rule", "/rule?rule=budget_pace", height_px=1000),
    Shot("channel", "/channel?kind=slack", height_px=1000),
    Shot("spend", "/spend", height_px=1700),
    Shot("explore", "/explore", height_px=1300),
    Shot("bill", "/bill", height_px=1300),
    Shot("budgets", "/budgets", height_px=1000),
    Shot("calls", "/calls", height_px=1000),
    Shot("ledger", "/ledger", height_px=1700),
    Shot("account", "/account?account=expenses", height_px=1500),
    Shot("entry", "/entry", _ENTRY, height_px=1000),
    Shot("rates", "/rates", height_px=1000),
    Shot("find", "/find?q=", _ANSWER, height_px=1000),
    Shot("ingest", "/ingest", height_px=1200),
)  # fmt: skip


def take(page: Page, shot: Shot, folder: Path) -> Path:
    """A picture of a page that is drawn, in light, as WebP. What floats above a page at its lower edge is left out."""
    page.emulate_media(color_scheme="light")
    page.evaluate("window.scrollTo(0, 0)")
    page.add_style_tag(content=".act-bar { position: static !important; }")
    high = min(shot.height_px, int(page.evaluate("document.documentElement.scrollHeight")))
    page.wait_for_timeout(400)  # figures fade in
    session = page.context.new_cdp_session(page)
    clip = {"x": 0, "y": 0, "width": WIDTH_PX, "height": high, "scale": 1}
    asked = {"format": "webp", "captureBeyondViewport": True, "clip": clip}
    image = b""
    for quality in QUALITIES:
        image = base64.b64decode(session.send("Page.captureScreenshot", {**asked, "quality": quality})["data"])
        if len(image) <= shot.bytes_max:
            break
    session.detach()
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{shot.name}.webp"
    picture.write_bytes(image)
    return picture
