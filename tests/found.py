"""Findings and looks, put into the books by hand: for tests of what is shown, with numbers known before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg

from ledger.database import connect
from tests.integration.delivering import open_alert
from tests.price_vectors import put_clearing

JUDGED_AT = datetime(2026, 11, 20, 15, 20, tzinfo=UTC)
"""When the books that tests share are looked at."""
HOSTILE = "<script>alert(2)</script>\u202e 🜄"

# mode, layer, kind, task class, subject, dollars a day, low, high, status
_CASES = (
    ("over_routing", "demand", "route", "support.faq", "large", 41.20, 36.00, 47.10, "open"),
    ("under_verification", "action", "verify", "code.fix_test", "0", 12.60, 8.10, 17.40, "acknowledged"),
    ("cache_misuse", "capital", "cache", HOSTILE, HOSTILE, 3.30, 1.20, 5.70, "open"),
    ("stale_rollouts", "capital", "trainer", None, "policy-a", 2.10, 0.90, 3.40, "resolved"),
)

_FINDING = """
insert into pigou.finding
       (tenant_id, finding_id, mode, segment, layer, kind, task_class, subject, band, status, opened_at, seen_at, looked_at,
        resolved_at, resolution, since, until, usd_per_day, low, high, n, tasks, told_usd_per_day, materiality_usd_per_day,
        sentence, change, inequality, method, evidence)
select %(tenant_id)s, %(finding_id)s, %(mode)s, %(segment)s, %(layer)s, %(kind)s, %(task_class)s, %(subject)s, '', %(status)s,
       %(opened_at)s, %(now)s, %(now)s, case when %(status)s = 'resolved' then %(now)s end,
       case when %(status)s = 'resolved' then 'right again' end, %(opened_at)s, %(now)s, %(usd)s, %(low)s, %(high)s, 812, 790,
       %(usd)s, 0.5, %(sentence)s, %(change)s, %(inequality)s, 'by hand', %(evidence)s::jsonb
"""
_EVENT = """
insert into pigou.finding_event (tenant_id, finding_id, event_id, at, event, usd_per_day, low, high)
values (%(tenant_id)s, %(finding_id)s, 1, %(opened_at)s, 'opened', %(usd)s, %(low)s, %(high)s)
"""
_LOOK = """
insert into pigou.look
       (tenant_id, mode, segment, layer, kind, task_class, subject, band, looked_at, since, until, n, tasks, status,
        usd_per_day, low, high, is_discovery, materiality_usd_per_day, sentence, change, inequality, method, evidence)
values (%(tenant_id)s, %(mode)s, %(segment)s, %(layer)s, %(kind)s, %(task_class)s, %(subject)s, '', %(now)s,
        %(opened_at)s, %(now)s, 120, 118, %(look_status)s, %(usd)s, %(low)s, %(high)s, %(is_discovery)s, 0.5, %(sentence)s,
        %(change)s, %(inequality)s, 'by hand', '{}')
"""


def find(dsn: str, now: datetime | None = None) -> str:
    """A finding of each case for the first tenant of the books, and a look of each kind; answers whose they are."""
    now = now or datetime.now(UTC)
    with connect(dsn, "owner") as connection:
        row = connection.execute(
            "select tenant_id, tenant from pigou.tenant where tenant_id > 0 order by tenant_id limit 1"
        ).fetchone()
        assert row is not None
        example = connection.execute(
            "select encode(trace_id, 'hex'), decision_id from pigou.decision where tenant_id = %s and kind = 'route'"
            " order by decided_at limit 1",
            row[:1],
        ).fetchone()
        for number, case in enumerate(_CASES, start=1):
            values = _values(row[0], number, case, now, None if example is None else (example[0], str(example[1])))
            connection.execute(_FINDING.encode(), values)
            connection.execute(_EVENT.encode(), values)
            if case[-1] != "resolved":
                connection.execute(_LOOK.encode(), {**values, "look_status": "appraised", "is_discovery": True})
        unknown = _values(
            row[0], 9, ("serving_congestion", "supply", "engine", None, "engine-a", None, None, None, ""), now, None
        )
        connection.execute(_LOOK.encode(), {**unknown, "look_status": "not_enough_evidence", "is_discovery": False})
        connection.execute(
            "update pigou.finding set unsaid_since = %s, is_unclear = true where mode = 'under_verification'",
            [now - timedelta(days=2)],
        )
        _particular(connection, row[0], now)
        connection.execute(b"analyze pigou.finding")
    return str(row[1])


_DETAILS: dict[str, dict[str, object]] = {
    "over_routing": {
        "frontier": [
            {"scale": None, "quality": 0.9, "cost_usd": 0.12, "risk_usd": 0.03},
            {"scale": 0.1, "quality": 0.7, "cost_usd": 0.01, "risk_usd": 0.09},
            {"scale": 10, "quality": 0.91, "cost_usd": 0.2, "risk_usd": 0.02},
        ],
        "regret_curve": [
            {"day": "2026-11-18", "usd": 4.0, "cumulative_usd": 4.0, "cumulative_high_usd": 6.5},
            {"day": "2026-11-19", "usd": 5.5, "cumulative_usd": 9.5, "cumulative_high_usd": 14.25},
        ],
        "menu": {
            "offers": [{"option": HOSTILE, "quality": 0.9, "price_usd": 1.8}],
            "full_prices_usd": {HOSTILE: 0.12},
            "types": [{"type": "below 5 USD", "v_usd": 2.0, "option": HOSTILE}],
            "information_rents_usd": {"below 5 USD": 0.25},
            "would_choose_otherwise_at_full_prices": ["below 5 USD would take nothing"],
            "why": "",
        },
    },
    "over_delegation": {
        "schedule": [
            {
                "task_class": "code.deploy", "action_class": HOSTILE, "is_reversible": False, "actions": 312,
                "now": {"none": 0.8, "human": 0.2}, "recommended": "human", "is_appraised": True, "gain_usd": 0.4,
                "why": "it cannot be undone",
                "borne": [
                    {"confirmation": "none", "actions": 250, "expected_loss_usd": {"value": 2.3, "low": 1.3, "high": 4.1}},
                    {"confirmation": "human", "actions": 62, "expected_loss_usd": {"value": None, "low": None, "high": None}},
                ],
            }
        ]
    },
    "cache_misuse": {
        "writes": {
            "closed": 100, "unpaid": 40, "premium_usd": 1.2, "saved_usd": 0.7, "written_off_usd": 0.5, "reads_per_write": 0.8,
            "break_even_reads": 1.1,
        },
        "hit_rate": 0.35,
        "hit_rate_by_value": [
            {"low_usd": 1, "high_usd": 1, "calls": 40, "hit_rate": 0.5, "saved_usd": 3.25},
            {"low_usd": 2, "high_usd": 8, "calls": 20, "hit_rate": 0.1, "saved_usd": -0.5},
        ],
        "depreciation": {HOSTILE: {"per_hour": [0.3, 0.02, 0.8], "n": 706, "lifetime_s": [3600, 3000, 4000]}},
    },
    "serving_congestion": {
        "speculation": {
            "answer": "off from a length on", "break_even": 0.45, "off_from_tokens": 50_000, "low": 40_000, "high": None,
            "saved_share": 0.12, "acceptance": [[20_000, 0.62, 700], [50_000, 0.41, 700]],
        }
    },
    "under_verification": {"best": "2", "reverse": False, "checks": {"passes": 300, "failed": 0}},
    "stale_rollouts": {
        "by_lag": [
            {"lag": lag, "updates": 20, "gain": 0.9**lag + 0.01, "fitted": 0.9**lag, "variance": 0.05} for lag in range(6)
        ],
        "reference_lag": 1, "past_the_point": 7, "spent_past_the_point_usd_per_day": 0.47, "delta": [0.02, 0.01, 0.03],
        "capability_lost": [0.38, 0.35, 0.41],
        "marginals": [{"use": "rollout", "gain": 0.02, "low": 0.01, "high": 0.03, "usd": 0.22, "gain_per_usd": 0.09}],
        "frontier": [
            {"method": "online", "updates": 40, "gain": 0.02, "variance": 0.0004, "is_efficient": True},
            {"method": HOSTILE, "updates": 30, "gain": 0.01, "variance": 0.0009, "is_efficient": False},
        ],
    },
}  # fmt: skip


_LAYER = {
    "over_routing": "demand", "over_delegation": "action", "under_verification": "action", "serving_congestion": "supply"
}  # fmt: skip
_PRODUCED = """
insert into pigou.production
       (tenant_id, task_class, use, since, until, tasks, assignment, usd_per_task, quality_per_dollar, quality_low, quality_high,
        net_per_usd, net_low, net_high, status, why, complements, equal_p, form, settled_by, measured_at)
select %(tenant_id)s, x.task_class, x.use, %(now)s::timestamptz - interval '28 days', %(now)s, 300, x.assignment, x.usd,
       x.net + 1, x.low + 1, x.high + 1, x.net, x.low, x.high,
       case when x.net is null then 'not_identified' else 'identified' end, '',
       case when x.other is null then '{}'
            else jsonb_build_object(x.other, '{"value": 0.1, "low": 0.01, "high": 0.2}'::jsonb) end,
       x.equal_p, 'translog', x.settled_by, %(now)s
  from (values ('code.fix', 'read', 'recorded', 0.001, -3.0, -9.0, 3.0, 'verify', 0.04, ''),
               ('code.fix', 'verify', 'recorded', 0.01, 18.0, 5.0, 32.0, 'read', 0.04, ''),
               ('support.faq', 'act', 'unknown', 0.02, null, null, null, null, null, 'state how doses are decided'))
       x (task_class, use, assignment, usd, net, low, high, other, equal_p, settled_by)
"""
_RISKED = """
insert into pigou.action_risk
       (tenant_id, action_class, task_class, since, until, actions, tasks, told, incidents, is_reversible, rate, rate_low,
        rate_high, pooled_rate, pooled_low, pooled_high, loss_usd, loss_low_usd, loss_high_usd, tail_usd, tail_low_usd,
        tail_high_usd, is_tail, rho, risk_usd, risk_low_usd, risk_high_usd, status, why, needs_outcomes, measured_at)
select %(tenant_id)s, x.action_class, x.task_class, %(now)s::timestamptz - interval '28 days', %(now)s, 90, x.tasks, x.tasks,
       x.incidents, x.action_class <> 'deploy', x.rate, x.low, x.high, x.pooled, x.pooled / 2, x.pooled * 2,
       x.loss, x.loss / 2, x.loss * 2, x.loss * 20, x.loss * 10, x.loss * 40, x.action_class = 'deploy',
       2, x.loss * 40, x.loss * 20, x.loss * 80, x.status, x.why, x.needs, %(now)s
  from (values ('deploy', '*', 90, 3, 0.033, 0.007, 0.094, null, 0.5, 'identified', '', null::bigint),
               ('deploy', 'code.fix', 60, 3, 0.05, 0.01, 0.139, 0.04, 0.75, 'identified', '', null),
               ('draft', 'support.faq', 30, 0, 0.0, 0.0, 0.116, null, null, 'not_enough_evidence',
                'no consequence was seen', 200))
       x (action_class, task_class, tasks, incidents, rate, low, high, pooled, loss, status, why, needs)
"""


def _particular(connection: psycopg.Connection, tenant_id: int, now: datetime) -> None:
    """What is particular to each layer: the details of its modes' looks, engines' prices and who delays whom."""
    for number, (mode, detail) in enumerate(_DETAILS.items(), start=20):
        case = (mode, "capital", "look", f"class {number}", mode, None, None, None, "")
        layer = _LAYER.get(mode, "capital")
        values = {**_values(tenant_id, number, case, now, None), "layer": layer}
        connection.execute(_LOOK.encode(), {**values, "look_status": "not_identified", "is_discovery": False})
        connection.execute(
            "update pigou.look set evidence = jsonb_build_object('detail', %s::jsonb) where mode = %s and segment = %s",
            (json.dumps(detail), mode, values["segment"]),
        )
    for text in (_PRODUCED, _RISKED):
        connection.execute(text.encode(), {"tenant_id": tenant_id, "now": now})
    for resource, price in (("prefill", 2e-7), ("decode", 9e-7), ("kv", 1e-9)):
        connection.execute(
            "insert into pigou.engine_price"
            " (tenant_id, engine, resource, valid_from, price, unit, price_low, price_high, source, probes)"
            " values (%s, 'engine-a', %s, %s, %s, 'USD', %s, %s, 'replay', 12)",
            (tenant_id, resource, now - timedelta(hours=5), price, price / 2, price * 2),
        )
    put_clearing(connection, tenant_id, "engine-a", now)
    connection.execute(
        "insert into pigou.externality (tenant_id, engine, day, task_class, victim_tenant_id, requests, delay_s, usd, usd_low,"
        " usd_high, unpriced_s, measured_at) values (%s, 'engine-a', %s, '', %s, 40, 120, 7, 5, 9, 0, %s)",
        (tenant_id, now.date() - timedelta(days=1), tenant_id, now),
    )


def warn(dsn: str) -> None:
    """Two alerts of the first tenant and one of the second, as the clock opens them; one says hostile things."""
    with connect(dsn, "writer") as connection:
        tenants = connection.execute("select tenant from pigou.tenant where tenant_id > 0 order by tenant_id limit 2").fetchall()
        first, second = (str(tenant) for (tenant,) in tenants)
        open_alert(connection, tenant=first, severity="critical", rule="books_check", subject="cash")
        open_alert(connection, tenant=first, subject=HOSTILE)
        open_alert(connection, tenant=second)


def _values(
    tenant_id: int, number: int, case: tuple[object, ...], now: datetime, example: tuple[str, str] | None
) -> dict[str, object]:
    mode, layer, kind, task_class, subject, usd, low, high, status = case
    terms = [
        {"name": "V·ΔQ", "usd_per_day": 6.1, "low": 2.0, "high": 10.2},
        {"name": "ΔC", "usd_per_day": usd, "low": low, "high": high},
        {"name": "λ·ΔL", "usd_per_day": -1.4, "low": -2.0, "high": -0.8},
        {"name": "ρ·ΔR", "usd_per_day": None, "low": None, "high": None},
    ]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [
        {"day": (midnight - timedelta(days=13 - day)).isoformat(), "usd": 2.0 + day, "low": 1.0 + day, "high": 3.5 + day}
        for day in range(14)
    ]
    cases = [] if example is None else [{"trace_id": example[0], "decision_id": example[1], "span_id": None, "usd": 0.13}]
    evidence = {
        "terms": terms,
        "weaknesses": ["Quality is judged by feedback of one task in five."],
        "examples": [*cases, {"trace_id": "ab" * 16, "decision_id": None, "span_id": None, "usd": None}],
        "days": days,
        "detail": {"cheaper": "small", "share": 0.4125, "edges": [1, 2.5]},
    }
    return {
        "tenant_id": tenant_id, "finding_id": number, "mode": mode, "layer": layer, "kind": kind, "task_class": task_class,
        "subject": subject, "usd": usd, "low": low, "high": high, "status": status, "now": now,
        "segment": f"{task_class or ''}, {kind} {subject}".strip(", "), "opened_at": now - timedelta(days=10 - number),
        "sentence": f"{kind} in {task_class or 'all tasks'}: {subject} costs more than what it adds is worth.",
        "change": f"Take small in place of {subject}.", "inequality": "V·ΔQ < ΔC + λ·ΔL + ρ·ΔR", "evidence": json.dumps(evidence),
    }  # fmt: skip
