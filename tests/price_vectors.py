"""Price vectors put into the database by hand, for tests of what is made of them."""

from __future__ import annotations

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
