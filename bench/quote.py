"""How long a price and a quote take: requests at a constant rate, whatever the answers take, over the collector's HTTP.

usage: python -m bench quote [--rate 200] [--seconds 30] [--connections 32] [--write]

The loop is open: request k is due at k/rate seconds and its time runs from then, so that a slow answer is not hidden by the
requests that wait for it. Prints percentiles for `GET /v1/prices` in both formats and for `POST /v1/quote` on menus of 3 and 20
options, and what a request takes of the collector's CPU, whatever else the machine does. Stops by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench.collecting import collector, new_books
from bench.server import serve
from bench.tables import PERFORMANCE, machine, replace_section, table
from ledger.database import connect
from ledger.post import open_tenants

SECTION = "bench-quote"
_CLASSES = 40
_WARM_UP_S = 2.0
_PERCENTILES = (0.5, 0.95, 0.99, 0.999)
_LIMIT = {
    "name": "latency_sla *", "kind": "latency_sla", "limit": 30.0, "used": 30.0, "slack": 0.0, "relative_slack": 0.0,
    "price": 0.001, "is_binding": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked again and again."""

    title: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Timed:
    """What became of it: seconds from when each request was due, and how many were not answered 200."""

    title: str
    latencies_s: list[float]
    failed: int
    took_s: float


def main() -> int:
    """Measure and print one table; exit 1 when a request failed."""
    arguments = _arguments()
    where = machine()
    with serve() as server:
        dsn = new_books(server, "bench")
        with connect(dsn, "writer") as writer:
            _state(writer)
        timed: list[tuple[Timed, float]] = []
        with collector(server, dsn) as (family, port):
            for one in _asked():
                before = family.cpu_s()
                found = asyncio.run(_drive(one, port, arguments.rate, arguments.seconds, arguments.connections))
                timed.append((found, (family.cpu_s() - before) / (arguments.rate * (arguments.seconds + _WARM_UP_S))))
    text = _table(timed, arguments.rate)
    print(text)
    if arguments.write:
        replace_section(PERFORMANCE, SECTION, f"{where} {arguments.rate} requests a second.\n\n{text}")
    return 1 if any(one.failed for one, _ in timed) else 0


def _asked() -> list[Asked]:
    return [
        Asked("`GET /v1/prices`, 40 classes", _request("GET", "/v1/prices", None)),
        Asked("`GET /v1/prices?task_class=…`", _request("GET", "/v1/prices?task_class=class.7", None)),
        Asked("`GET /v1/prices?format=prometheus`", _request("GET", "/v1/prices?format=prometheus", None)),
        Asked("`POST /v1/quote`, 3 options", _request("POST", "/v1/quote", _menu(3, 0))),
        Asked("`POST /v1/quote`, 20 options, 5 users", _request("POST", "/v1/quote", _menu(20, 5))),
    ]


def _menu(options: int, users: int) -> dict[str, Any]:
    return {
        "task_class": "class.7",
        "options": [
            {"option": f"model-{k}", "quality": 0.5 + 0.4 * k / options, "cost_usd": 0.01 * 1.5**k, "latency_s": 2.0 + k,
             "risk_usd": 0.1 / (k + 1)}
            for k in range(options)
        ],
        "users": [{"user": f"user-{k}", "v_usd": 10.0**k} for k in range(users)],
    }  # fmt: skip


def _state(writer: psycopg.Connection) -> None:
    """Prices of forty classes, as a solution leaves them."""
    with writer.transaction():
        tenant_id = open_tenants(writer, ["default"])["default"]
    writer.execute(
        """insert into pigou.price_solution (tenant_id, solution_id, since, until, seed, method, tasks, decisions, inputs, status,
                                             why, constraints, left_out)
           values (%s, 1, now() - interval '28 days', now(), 0, 'bench', 1, 1, '', 'solved', '', '[]', '[]')""",
        (tenant_id,),
    )
    with writer.cursor() as cursor:
        cursor.executemany(
            """insert into pigou.price_vector (tenant_id, task_class, revision, solution_id, valid_from, v_usd, v_stated_usd,
                                               v_source, budget_worth, lambda_usd_per_s, lambda_source, rho, rho_source, source,
                                               constraints, why)
               values (%s, %s, 1, 1, now(), %s, %s, 'policy', 1, 0.001, 'dual', 1, 'policy', 'dual', %s, '')""",
            [(tenant_id, f"class.{k}", k + 1, k + 1, Jsonb([_LIMIT])) for k in range(_CLASSES)],
        )


def _request(method: str, path: str, body: dict[str, Any] | None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _drive(asked: Asked, port: int, rate: float, seconds: float, connections: int) -> Timed:
    """Ask at a constant rate over kept connections; what is due while all are busy waits, and its time runs."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    latencies: list[float] = []
    failed = 0
    began = time.perf_counter() + 0.1
    total = int(rate * (seconds + _WARM_UP_S))

    async def ask(number: int) -> None:
        nonlocal failed
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        reader, writer = await free.get()
        writer.write(asked.request)
        status = await _answered(reader)
        took = time.perf_counter() - due
        free.put_nowait((reader, writer))
        if number >= rate * _WARM_UP_S:
            latencies.append(took)
            failed += status != 200

    async with asyncio.TaskGroup() as group:
        for number in range(total):
            group.create_task(ask(number))
    ended = time.perf_counter()
    while not free.empty():
        _, writer = free.get_nowait()
        writer.close()
        await writer.wait_closed()
    return Timed(asked.title, sorted(latencies), failed, ended - began - _WARM_UP_S)


async def _answered(reader: asyncio.StreamReader) -> int:
    """The status of an answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


def _table(timed: Sequence[tuple[Timed, float]], rate: float) -> str:
    rows = [
        [one.title, f"{len(one.latencies_s) / one.took_s:,.0f}",
         *(f"{1000 * one.latencies_s[min(len(one.latencies_s) - 1, int(p * len(one.latencies_s)))]:.1f}" for p in _PERCENTILES),
         f"{1000 * one.latencies_s[-1]:.1f}", f"{1000 * cpu_s:.2f}", str(one.failed)]
        for one, cpu_s in timed
    ]  # fmt: skip
    return table(["", f"answered/s of {rate:g}", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms", "CPU ms", "failed"], rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench quote", description="Measure prices and quotes.")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="for how long each, after a warm-up")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
