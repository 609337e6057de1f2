"""Books in which every name that comes from outside is hostile: markup, scripts, links, turned text, control characters, 100 kB.

They come in as telemetry does, are judged and found wanting as others are, and are budgeted, priced, alerted and told of.
"""

from __future__ import annotations

import json
import random
import string
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.alerts import act
from ledger.budgets import Terms, set_budget
from ledger.database import connect
from ledger.findings import Dismissal, dismiss
from ledger.price_vector import Limits, constrain
from ledger.saved_views import save_view
from tests.agent_traffic import export as as_json
from tests.agent_traffic import feed, fill, trace_spans
from tests.appraised import judge
from tests.books import AT, agent, chat, export, plain, price, tool
from tests.decided import decide
from tests.desk import book
from tests.found import find, warn
from tests.integration.delivering import channel, state

MARKUP = (
    '"><img src=x onerror="ran=1"><script>ran=2</script><a href="javascript:ran=3">a</a><a href=//evil.example>b</a>'
    "<b>c</b>'-alert(1)-'\u202e \u2067 🜂 \x07\x1b[31m\t%{x} ${7*7} {{7*7}}"
)
"""What each name carries. Whatever makes it more than text is noticed: it sets `ran`, opens a dialog or asks elsewhere."""
SEEN = '<img src=x onerror="ran=1">'
LONG = "".join(random.Random(7).choices(string.ascii_letters, k=100_000))


def named(what: str) -> str:
    """A hostile name that says what it is the name of."""
    return f"{what} {MARKUP}"


TENANT, TASK_CLASS, AGENT, MODEL = named("tenant"), named("class"), named("agent"), named("model")
PROVIDER, USER, CONVERSATION = named("provider"), named("user"), named("conversation")
TRACE = f"{1:032x}"


def fill_with_hostile(dsn: str) -> None:
    """Everything that the pages show, by such names; the first tenant is theirs."""
    now = datetime.now(UTC)
    with connect(dsn, "owner") as owner:
        price(owner, model=MODEL, provider=PROVIDER)
    began = (now - AT).total_seconds() - 6 * 3600
    for trace in range(1, 11):
        book(dsn, [export(*_spans(trace, began + trace * 60), tenant=TENANT, service=named("service"), scope=named("scope"))])
    fill(dsn, now, traces=12)
    unread = trace_spans(random.Random(5), now - timedelta(hours=2), calls=1)
    feed(dsn, [as_json(TENANT, [{**unread[0], "traceId": MARKUP}, {**unread[1], "spanId": LONG}])])
    feed(dsn, [as_json(TENANT, [unread[0]]), as_json(TENANT, [{**unread[0], "name": named("other content")}])])
    judge(dsn)
    find(dsn)
    warn(dsn)
    _state(dsn, now)
    _write_over(dsn)


def _spans(trace: int, at: float) -> list[Span]:
    """One run of an agent: its names are hostile, those of every other one are long."""
    is_long = trace % 3 == 0
    who, which, kind = (LONG, LONG, LONG) if is_long else (AGENT, MODEL, TASK_CLASS)
    return [
        agent(trace, 1, name=who, task=kind, at=at, input=900, output=90),
        chat(
            trace, 2, 1, model=which, provider=PROVIDER, id=f"{named('answer')} {trace}", at=at, input=500, output=50,
            gen_ai__conversation__id=LONG if is_long else CONVERSATION, enduser__id=USER, error=True,
            gen_ai__response__finish_reasons=[MARKUP], gen_ai__prompt=MARKUP, long=LONG,
        ),
        chat(trace, 3, 1, model=named("unpriced"), provider=PROVIDER, id=f"{named('unpriced')} {trace}", at=at + 1),
        tool(trace, 4, 1, name=LONG if is_long else named("tool"), at=at + 2),
        plain(trace, 5, 1, name=LONG if is_long else named("span"), at=at + 3, allocation__layer=MARKUP, allocation__use=MARKUP),
    ]  # fmt: skip


def _state(dsn: str, now: datetime) -> None:
    """What people state: budgets, limits, notes, views, channels."""
    with connect(dsn, "owner") as owner:
        decide(owner, 60, tenant=TENANT, task_class=TASK_CLASS, v_usd=0.5)
    with connect(dsn, "writer") as writer:
        begun = now - timedelta(days=13)
        for budget, terms in (
            ("of-an-agent", Terms(Decimal("0.001"), "total", agent=AGENT, task_class=TASK_CLASS, valid_from=begun)),
            ("of-a-long-one", Terms(Decimal(10), "month", agent=LONG, model=LONG)),
        ):
            set_budget(writer, TENANT, budget, terms, MARKUP)
        constrain(writer, TENANT, "*", Limits(latency_s=Decimal(7)), MARKUP)
        act(writer, 1, "acknowledged", who=MARKUP, note=MARKUP, tenant=TENANT)
        dismiss(writer, 2, Dismissal("intended"), who=MARKUP, note=MARKUP, tenant=TENANT)
        save_view(writer, named("view")[:80], "/alerts", MARKUP)
        state(writer, channel(tenants=[TENANT], url="http://127.0.0.1:9/?q=%3Cscript%3E"))


_TEXTS = (
    ("decision", "feature_names = array[%(m)s, %(m)s], provenance = jsonb_build_object(%(m)s::text, %(m)s::text)"),
    ("segment", "label = label || %(m)s, why = why || %(m)s, value_band = value_band || %(m)s"),
    ("comparison", "method = %(m)s"),
    (
        "finding",
        "sentence = sentence || %(m)s, change = change || %(m)s || %(l)s, inequality = %(m)s, agent = %(m)s",
    ),
    ("look", "sentence = sentence || %(m)s, change = change || %(m)s || %(l)s, inequality = %(m)s, method = %(m)s"),
    ("alert", "message = message || %(m)s, mend = mend || %(m)s || %(l)s"),
    ("externality", "engine = %(m)s, task_class = %(m)s"),
    ("action_risk", "action_class = action_class || %(m)s, task_class = task_class || %(m)s, why = why || %(m)s"),
    ("latency_effect", "option = option || %(m)s, base = %(m)s, why = why || %(m)s"),
    ("production", "task_class = task_class || %(m)s, settled_by = %(m)s, why = why || %(m)s"),
)


def _write_over(dsn: str) -> None:
    """What analyzers put into words from names, as if they had."""
    with connect(dsn, "owner") as owner:
        for table, changes in _TEXTS:
            owner.execute(f"update pigou.{table} set {changes}".encode(), {"m": MARKUP, "l": LONG[:5000]})
        owner.execute(
            b"insert into pigou.engine_price"
            b" (tenant_id, engine, resource, valid_from, price, unit, price_low, price_high, source, probes)"
            b" select tenant_id, %s, resource, valid_from, price, unit, price_low, price_high, source, probes"
            b"   from pigou.engine_price",
            (MARKUP,),
        )
        owner.execute(
            b"update pigou.finding set evidence = replace(evidence::text, 'small', %s)::jsonb", (json.dumps(MARKUP)[1:-1],)
        )
