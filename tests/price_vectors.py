"""Price vectors put into the database by hand, for tests of what is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ledger.post import open_tenants

SLA: dict[str, Any] = {
    "name": "latency_sla code.*", "kind": "latency_sla", "limit": 30.0, "used": 24.0, "slack": 6.0, "relative_slack": 0.2,
    "price": 0.0, "is_binding": False,
}  # fmt: skip


def put_solution(writer: psycopg.Connection, tenant: str = "default") -> tuple[int, int]:
    """A look at the prices; answers the tenant's id and its number."""
    with writer.transaction():
        tenant_id = open_tenants(writer, [tenant])[tenant]
    row = writer.execute(
        """insert into pigou.price_solution (tenant_id, solution_id, since, until, seed, method, tasks, decisions, inputs, status,
                                             why, constraints, left_out)
           select %(t)s, coalesce(max(solution_id), 0) + 1, now() - interval '14 days', now(), 0, 'by hand', 10, 10,
                  '', 'solved', '', '[]', '[]'
             from pigou.price_solution where tenant_id = %(t)s
           returning solution_id""",
        {"t": tenant_id},
    ).fetchone()
    if row is None:
        raise LookupError("no solution was written")
    return tenant_id, row[0]


def put_vector(writer: psycopg.Connection, tenant: str = "default", task_class: str = "*", **columns: Any) -> None:
    """A further revision of a class's prices; columns left out are not known."""
    tenant_id, solution_id = put_solution(writer, tenant)
    given = {
        "v_usd": None, "v_stated_usd": columns.get("v_usd"), "lambda_usd_per_s": None, "rho": None, "budget_worth": 1,
        "v_source": "policy" if "v_usd" in columns else "none",
        "lambda_source": "policy" if "lambda_usd_per_s" in columns else "none",
        "rho_source": "policy" if "rho" in columns else "none", "source": "policy", "constraints": [], "why": "",
        "v_low_usd": None, "v_high_usd": None, "lambda_low": None, "lambda_high": None, **columns,
    }  # fmt: skip
    given["constraints"] = Jsonb(given["constraints"])
    writer.execute(
        """insert into pigou.price_vector (tenant_id, task_class, revision, solution_id, valid_from, v_usd, v_stated_usd,
                                           v_source, budget_worth, lambda_usd_per_s, lambda_source, rho, rho_source, source,
                                           constraints, why, v_low_usd, v_high_usd, lambda_low, lambda_high)
           select %(tenant_id)s, %(task_class)s, coalesce(max(revision), 0) + 1, %(solution_id)s, clock_timestamp(), %(v_usd)s,
                  %(v_stated_usd)s, %(v_source)s, %(budget_worth)s, %(lambda_usd_per_s)s, %(lambda_source)s, %(rho)s,
                  %(rho_source)s,
                  %(source)s, %(constraints)s, %(why)s, %(v_low_usd)s, %(v_high_usd)s, %(lambda_low)s, %(lambda_high)s
             from pigou.price_vector where tenant_id = %(tenant_id)s and task_class = %(task_class)s""",
        {"tenant_id": tenant_id, "solution_id": solution_id, "task_class": task_class, **given},
    )


def put_clearing(writer: psycopg.Connection, tenant_id: int, engine: str, at: datetime) -> None:
    """An engine of stated capacity that was cleared, with one tenant on it."""
    given = {"tenant_id": tenant_id, "engine": engine, "at": at}
    writer.execute(
        "insert into pigou.engine_capacity (engine, resource, revision, per_s, source)"
        " values (%(engine)s, 'decode', 1, 2500, 'test')",
        given,
    )
    writer.execute(
        """insert into pigou.clearing_price (tenant_id, engine, resource, cleared_at, since, until, capacity_per_s, price,
                                             price_low, price_high, dual_low, dual_high, groped, agrees, why, is_moved,
                                             was_per_s, free_per_s, takes_per_s, least_per_s, most_per_s, pays_usd_per_day,
                                             left_out, seed)
           values (%(tenant_id)s, %(engine)s, 'decode', %(at)s, %(at)s::timestamptz - interval '28 days', %(at)s, 2500,
                   0.0000021, 0.0000018, 0.0000024, 0.0000021, 0.0000021, 0.0000021, true, '', true, 2100, 3200, 2500, 2500,
                   2500, 453.6, '[]', 0)""",
        given,
    )
