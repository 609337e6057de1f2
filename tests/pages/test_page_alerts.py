"""What people do on the page: triage of alerts, rules and channels, dismissed findings and saved views, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from analyzers.alerts import evaluate
from analyzers.delivery.deliverer import Deliverer
from dashboard import formats
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from tests.agent_traffic import fill
from tests.books import serving
from tests.found import find
from tests.integration.delivering import ENVIRONMENT
from tests.page import Served, dashboard, database, read_in_both_schemes, settled, shown_sql
from tests.receivers import Answer, Receiver, receiving

HOSTILE = "<img src=x onerror=alert(1)>"
PAGES = (
    "/alerts",
    "/alerts?alert=1",
    "/rule?rule=unpriced_share",
    "/rule?tenant=acme&rule=gone",
    "/channel",
    "/channel?kind=email",
    "/findings?status=every",
)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def served(server: str, template: str) -> Iterator[Served]:
    """A dashboard over a fortnight of traffic with findings, a budget that is overrun and their alerts; somebody delivers."""
    with database(server, template, "pigou_page_alerts") as dsn:
        now = datetime.now(UTC)
        fill(dsn, now, traces=30)
        find(dsn)
        with connect(dsn, "writer") as writer:
            set_budget(writer, "acme", "plan", Terms(Decimal("0.05"), "total", valid_from=now - timedelta(days=13)), "test")
            evaluate(writer, datetime.now(UTC) + timedelta(seconds=20))  # filling the books evaluated a moment ago
        deliverer = Deliverer(dsn, ENVIRONMENT)
        deliverer.start()
        with serving(dsn) as collector, dashboard(dsn, f"http://{collector.http}") as url:
            yield Served(url, dsn)
        deliverer.stop()


def go(page: Page, served: Served, address: str) -> Page:
    """Another address of the dashboard, with all its panels drawn."""
    page.goto(served.url + address)
    settled(page)
    return page


def count(served: Served, text: str) -> int:
    ((number,),) = served.sql(text)
    return int(str(number))


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────


def test_several_alerts_are_triaged_with_a_note(page: Page, served: Served) -> None:
    go(page, served, "/alerts?mode=over_routing&mode=cache_misuse")
    expect(page.locator("h1")).to_contain_text("2 alerts not resolved")
    row = page.locator(".panel-alerts .ag-row", has_text="support.faq")
    expect(row.locator("[col-id='threshold_said']")).to_have_text("$0.50 a day")
    page.locator(".panel-alerts .ag-header-select-all input").check()
    page.locator("#act-note").fill(HOSTILE)
    page.locator("#act-who").fill("ann")
    page.locator(".act-mute").locator("button").click()
    expect(page.locator("#act-said")).to_contain_text("2 alerts muted until")
    expect(page.locator("h1")).not_to_contain_text("nobody")
    assert count(served, f"select count(*) from ledger.alert_events where event = 'muted' and note = '{HOSTILE}'") == 2
    page.locator(".panel-alerts .ag-row", has_text="support.faq").locator("[col-id='message']").click()
    expect(page.locator(".panel-alert_history .ag-row", has_text=HOSTILE)).to_contain_text("muted")
    page.locator(".act-acknowledge").click()
    expect(page.locator("#act-said")).to_have_text("1 alert acknowledged.")
    page.locator(".act-reopen").click()
    expect(page.locator("#act-said")).to_have_text("1 alert reopened.")


def test_alerts_are_searched_and_narrowed_by_age(page: Page, served: Served) -> None:
    go(page, served, "/alerts")
    page.locator("#alert-sought").fill("PLAN of acme")
    page.locator("#alert-sought").press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=PLAN%20of%20acme$"))
    expect(page.locator(".panel-alerts .ag-center-cols-container .ag-row")).to_have_count(1)
    page.get_by_role("link", name="Older than a day").click()
    expect(page).to_have_url(re.compile(r"q=PLAN%20of%20acme&age=1d$"))
    expect(page.locator(".panel-alerts .nothing")).to_be_visible()
    page.get_by_role("link", name="Opened in the past 24 hours").click()
    expect(page.locator(".panel-alerts .ag-center-cols-container .ag-row")).to_have_count(1)


def test_the_alert_of_a_finding_shows_its_inequality(page: Page, served: Served) -> None:
    ((tenant, number),) = served.sql("select tenant, alert_id from ledger.alerts where mode = 'over_routing'")
    go(page, served, f"/alerts?tenant={tenant}&alert={number}")
    question = shown_sql(page, "alert_terms", "alert_terms")
    ((usd, low, high),) = served.sql(f"select usd_per_day, low, high from ({question}\n) as shown where name = 'ΔC'")
    drawn = page.locator(".panel-alert_terms .annotation-text", has_text="ΔC")
    expect(drawn).to_contain_text(f"{formats.usd_estimate(usd, low, high)} ({formats.usd_interval(low, high)})")
    expect(page.locator("#section-alert_terms")).to_contain_text("It would save $1,240 in 30 days ($1,080 to $1,410, 95 %)")
    expect(page.locator(".panel-alert_cases .cell-link").first).to_have_attribute("href", re.compile(r"^/trace/abab"))
    expect(page.locator("#section-alert_series")).to_be_hidden()
    page.get_by_role("link", name="The finding, and why it is believed").click()
    expect(page).to_have_url(re.compile(rf"/finding\?tenant={tenant}&id=1$"))


def test_the_alert_of_a_budget_shows_the_spend_against_it(page: Page, served: Served) -> None:
    ((number,),) = served.sql("select alert_id from ledger.alerts where rule = 'budget_overrun'")
    go(page, served, f"/alerts?tenant=acme&alert={number}")
    question = shown_sql(page, "alert_series", "alert_budget")
    ((spent, limit),) = served.sql(f"select spent_usd, limit_usd from ({question}\n) as shown order by hour desc limit 1")
    ((booked,),) = served.sql("select spent_usd from ledger.budgets where budget = 'plan'")
    assert spent == booked
    expect(page.locator("#section-alert_series .note")).to_have_text(
        f"spent: {formats.usd(spent)} at last; the budget: {formats.usd(limit)}."
    )
    expect(page.locator(".panel-alert_series .scatterlayer .trace")).to_have_count(2)


# ── rules and channels ───────────────────────────────────────────────────────────────────────────────


def fill_in(page: Page, **texts: str) -> None:
    for name, text in texts.items():
        page.locator(f'input[id*=\'"field":"{name}"\'], textarea[id*=\'"field":"{name}"\']').first.fill(text)


def wrong(page: Page, name: str) -> str:
    """What stands beside a field."""
    place = page.locator(".mantine-InputWrapper-root", has=page.locator(f'[id*=\'"field":"{name}"\']'))
    return place.locator(".mantine-InputWrapper-error").inner_text()


def test_a_rule_is_changed_on_the_page(page: Page, served: Served) -> None:
    go(page, served, "/alerts")
    expect(page.locator(".panel-alert_rules .ag-row", has_text="what is material: $0.50 a day").first).to_be_attached()
    page.locator(".panel-alert_rules .cell-link", has_text="unpriced_share").click()
    expect(page).to_have_url(re.compile(r"/rule\?rule=unpriced_share$"))
    settled(page)
    fill_in(page, open_at="lots")
    page.locator(".form-save").click()
    expect(page.locator(".form-bar .act-said")).to_contain_text("write your name")
    page.locator("#form-who").fill("ann")
    page.locator(".form-save").click()
    expect(page.locator(".form-bar .act-said")).to_have_text("Nothing was done: see what is marked.")
    assert wrong(page, "open_at") == "'lots' is no number"
    fill_in(page, open_at="0.1", close_at="0.05", renotify_every="4h", tenant="acme")
    page.locator(".form-save").click()
    expect(page).to_have_url(re.compile(r"/rule\?rule=unpriced_share&tenant=acme$|/rule\?tenant=acme&rule=unpriced_share$"))
    expect(page.locator("h1")).to_have_text("Rule unpriced_share, for acme.")
    expect(page.locator(".panel-rule_history .ag-row").first).to_contain_text("ann, over HTTP")
    assert count(served, "select count(*) from ledger.alert_rules where tenant = 'acme' and is_in_force and open_at = 0.1") == 1
    page.locator(".form-withdraw").click()
    expect(page.locator("h1")).to_contain_text("none of its own yet")
    assert count(served, "select count(*) from ledger.alert_rules where tenant = 'acme' and is_in_force") == 0


def test_a_channel_is_added_tried_paused_and_removed(page: Page, served: Served, receiver: Receiver) -> None:
    go(page, served, "/alerts")
    page.get_by_role("link", name="Add a channel").click()
    expect(page.locator("h1")).to_have_text("A new channel.")
    settled(page)
    page.locator("#form-who").fill("ann")
    fill_in(page, name="ops", url=receiver.url, secret="a secret in clear")
    page.locator(".form-save").click()
    expect(page.locator(".form-bar .act-said")).to_have_text("Nothing was done: see what is marked.")
    assert "say where the secret is read from" in wrong(page, "secret")
    fill_in(page, secret="env:OPS_SECRET")
    page.locator(".form-save").click()
    expect(page.locator("h1")).to_have_text("Channel ops of all tenants: not yet used.")
    assert page.locator('input[id*=\'"field":"secret"\']').input_value() == ""
    assert "OPS_SECRET" not in page.content()
    receiver.answers = [Answer(403, body=HOSTILE.encode())]
    page.locator(".form-test").click()
    expect(page.locator(".form-bar .act-said")).to_have_text(f"The test was not taken: 403 {HOSTILE}")
    page.locator(".form-test").click()
    expect(page.locator(".form-bar .act-said")).to_have_text("The receiver took the test: 200 ok")
    expect(page.locator(".panel-channel_tests .ag-center-cols-container .ag-row")).to_have_count(2)
    fill_in(page, group_for="7s")
    page.locator(".form-save").click()
    expect(page.locator(".panel-channel_history .ag-center-cols-container .ag-row")).to_have_count(2)
    ((secret, group_for),) = served.sql("select settings ->> 'secret', group_for::text from ledger.channels")
    assert (secret, group_for) == ("env:OPS_SECRET", "00:00:07"), "a blank secret stays as it was"
    page.locator(".form-pause").click()
    expect(page.locator("h1")).to_contain_text("paused")
    page.locator(".form-remove").click()
    expect(page).to_have_url(re.compile(r"/alerts#section-alert_channels$"))
    expect(page.locator("#section-alert_channels")).to_contain_text("Nobody is told of alerts yet")


# ── findings and views ───────────────────────────────────────────────────────────────────────────────


def test_a_finding_is_dismissed_and_restored(page: Page, served: Served) -> None:
    go(page, served, "/finding?id=1")
    page.locator("#act-who").fill("ann")
    page.locator(".act-dismiss button").click()
    expect(page.locator("#act-said")).to_contain_text("write why in the note")
    page.locator("#act-note").fill(HOSTILE)
    page.locator(".act-dismiss button").click()
    expect(page.locator("#act-said")).to_have_text("1 finding dismissed.")
    expect(page.locator(".dismissal")).to_contain_text("as intended, for good:")
    expect(page.locator(".dismissal q")).to_have_text(HOSTILE)
    go(page, served, "/findings")
    expect(page.locator("h1")).to_have_text("$16 a day recoverable ($11 to $21) in 2 findings.")
    page.locator(".panel-findings_headline").get_by_role("link", name="dismissed").click()
    expect(page).to_have_url(re.compile(r"\?status=dismissed$"))
    row = page.locator(".panel-findings .ag-row", has_text="support.faq").first
    expect(row.locator("[col-id='dismissed_note']")).to_have_text(HOSTILE)
    expect(row.locator("[col-id='dismissed_by']")).to_have_text("ann")
    assert count(served, "select count(*) from ledger.alerts where mode = 'over_routing' and state <> 'resolved'") == 0
    go(page, served, "/finding?id=1")
    page.locator(".act-restore").click()
    expect(page.locator("#act-said")).to_have_text("1 finding restored.")
    expect(page.locator(".dismissal")).to_have_count(0)


def test_a_view_is_saved_opened_renamed_and_removed(page: Page, served: Served) -> None:
    go(page, served, "/alerts?range=7d&severity=warning&tz=Europe/Berlin")
    page.get_by_text("Saved views").click()
    page.locator("#view-name").fill(f"Monday review {HOSTILE}")
    page.locator(".views button", has_text="Save").click()
    expect(page.locator("#views-said")).to_contain_text("write your name")
    page.locator("#view-who").fill("ann")
    page.locator(".views button", has_text="Save").dblclick()  # as some do: it is one act
    page.wait_for_load_state("networkidle")
    expect(page.locator("#views-said")).to_have_text("Saved.")
    go(page, served, "/ledger")
    page.get_by_text("Saved views").click()
    link = page.locator(".view-link", has_text=f"Monday review {HOSTILE}")
    expect(link).to_have_attribute("href", "/alerts?range=7d&severity=warning&tz=Europe/Berlin")
    link.click()
    expect(page.locator(".pill")).to_contain_text("Severity: warning")
    page.locator("#view-name").fill(f"monday review {HOSTILE}")
    page.locator(".views button", has_text="Save").click()
    expect(page.locator(".views .mantine-InputWrapper-error")).to_contain_text("already")
    page.get_by_text("Rename or remove one").click()
    page.locator("#view-chosen").click()
    page.get_by_role("option", name="Monday review").click()
    page.locator("#view-new-name").fill("Reviews")
    page.locator(".views button", has_text="Rename").click()
    expect(page.locator(".view-link")).to_have_text("Reviews")
    page.locator("#view-chosen").click()
    page.get_by_role("option", name="Reviews").click()
    page.locator(".views button", has_text="Remove").click()
    expect(page.locator(".views-list")).to_have_text("None is saved yet.")


@pytest.mark.parametrize("address", PAGES)
def test_a_phone_shows_every_page_in_light_and_dark(page: Page, served: Served, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    go(page, served, address)
    read_in_both_schemes(page)
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")  # once the figures have followed
