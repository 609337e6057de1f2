"""The pages, in the order of the navigation. A new page is a module with a `PAGE`, named here."""

from collections.abc import Sequence

from dashboard.pages import (
    account,
    alerts,
    allocation,
    bill,
    budgets,
    calls,
    channel,
    decision,
    decisions,
    entry,
    explore,
    find,
    finding,
    findings,
    ingest,
    layers,
    ledger,
    overview,
    prices,
    rates,
    rule,
    spend,
    trace,
)
from dashboard.pages.page import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    findings.PAGE,
    alerts.PAGE,
    allocation.PAGE,
    layers.PAGE,
    decisions.PAGE,
    prices.PAGE,
    spend.PAGE,
    explore.PAGE,
    bill.PAGE,
    budgets.PAGE,
    calls.PAGE,
    ledger.PAGE,
    rates.PAGE,
    ingest.PAGE,
    account.PAGE,
    entry.PAGE,
    trace.PAGE,
    decision.PAGE,
    finding.PAGE,
    find.PAGE,
    rule.PAGE,
    channel.PAGE,
)


def page_at(pages: Sequence[Page], path: str) -> Page:
    """The page at a path; the first page where there is none."""
    for page in pages:
        if path == page.path or (page.path.endswith("/") and len(page.path) > 1 and path.startswith(page.path)):
            return page
    return pages[0]
