"""`pigou explain`: a decision with all its options, what each is thought to be worth, why, and the SQL that says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cli.errors import CommandError
from cli.home import open_database
from cli.options import Format, FormatOption, HomeOption
from cli.terminal import remark, say

if TYPE_CHECKING:
    import psycopg

_HEX = re.compile(r"[0-9a-fA-F-]{6,36}")
_TRACE_HEX = 32
_SHOWN_MAX = 40
_OPTIONS = """select option, is_chosen, is_best, round(propensity::numeric, 6) as propensity,
       round(predicted_quality::numeric, 6) as predicted_quality, round(value_usd, 6) as value_usd,
       round(cost_usd, 6) as cost_usd, round(latency_usd, 6) as latency_usd, round(risk_usd, 6) as risk_usd,
       round(net_usd, 6) as net_usd, round(error_usd, 6) as error_usd
  from ledger.decision_options where decision_id = {decision} order by place"""


def explain(
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="A decision's id or its beginning, a trace, or an entry.")],
    home: HomeOption = None,
    chosen: FormatOption = Format.TABLE,
) -> None:
    """Explain a decision: its options with every term of eq. 1, what was known before, and how sure this is.

    Of a trace with several decisions they are listed. As CSV only the options are written. Of an entry of the books, or
    of the calls of a trace in which nothing was decided, the postings are shown: what moved, at which rate, from which source.
    """
    if not _HEX.fullmatch(decision):
        raise CommandError(f"{decision!r} is no id", "give six or more hexadecimal digits of a decision or a trace", exit_code=2)
    with open_database("reader", home) as books:
        found = _find(books, decision)
        if not found:
            _show_postings(books, decision, chosen)
            return
        if len(found) > 1:
            _list(books, found, chosen)
            return
        _show(books, found[0], chosen)


def _find(books: psycopg.Connection, wanted: str) -> list[str]:
    """Ids of the decisions meant: those that begin so, else those of the trace."""
    digits = wanted.replace("-", "").lower()
    low, high = digits.ljust(_TRACE_HEX, "0"), digits.ljust(_TRACE_HEX, "f")
    between = "select decision_id::text from ledger.decisions where decision_id between %s::uuid and %s::uuid order by 1 limit %s"
    found = books.execute(between, (low, high, _SHOWN_MAX)).fetchall()
    if not found and len(digits) == _TRACE_HEX:
        found = books.execute("select decision_id::text from ledger.trace_decisions(%s)", (digits,)).fetchall()
    return [row[0] for row in found]


def _show_postings(books: psycopg.Connection, wanted: str, chosen: Format) -> None:
    """The postings of one entry, or of all entries of a trace. Raises CommandError where there are none."""
    from psycopg import sql

    from cli.rows import write_cursor

    digits = wanted.replace("-", "").lower()
    for which in (_ENTRY, _CALLS):
        query = sql.SQL(_POSTINGS).format(entries=sql.SQL(which).format(sql.Literal(digits)))
        found = sql.SQL("select from ({}) p limit 1").format(query)
        if len(digits) == _TRACE_HEX and books.execute(found).fetchone() is not None:
            write_cursor(books.execute(query), chosen)
            if chosen is Format.TABLE:
                remark("USD, debit positive; what reverses or corrects an entry names it in ledger.entries")
                remark(f"sql: {query.as_string(books)};")
            return
    mend = "give six digits or more of a decision, or all of a trace or an entry; see ledger.decisions, ledger.entries"
    raise CommandError(f"there is no decision, trace or entry {wanted}", mend)


def _list(books: psycopg.Connection, found: list[str], chosen: Format) -> None:
    from cli.rows import write_cursor

    query = """select decision_id, tenant, decided_at, kind, task_class, chosen, best, status, round(regret_usd, 6) as regret_usd
                 from ledger.decisions where decision_id = any (%s::uuid[]) order by tenant, decided_at, kind"""
    write_cursor(books.execute(query, (found,)), chosen)
    if chosen is Format.TABLE:
        remark("several decisions: name one of them")


def _show(books: psycopg.Connection, decision: str, chosen: Format) -> None:
    from psycopg import sql
    from psycopg.rows import dict_row

    from cli.rows import write_cursor

    with books.cursor(row_factory=dict_row) as cursor:
        told = cursor.execute("select * from ledger.decisions where decision_id = %s::uuid", (decision,)).fetchone()
        segment = cursor.execute(_SEGMENT, (decision,)).fetchone()
    if told is None:
        raise CommandError(f"decision {decision} has just gone", "its task was settled again: ask once more")
    query = sql.SQL(_OPTIONS).format(decision=sql.Literal(decision))
    if chosen is Format.JSON:
        _write_document(books, query, told, segment)
        return
    if chosen is Format.TABLE:
        _say_head(told)
    write_cursor(books.execute(query), chosen)
    if chosen is Format.TABLE:
        _say_reasons(told, segment)
        entries = sql.SQL(_ENTRIES).format(tenant=sql.Literal(told["tenant"]), trace=sql.Literal(told["trace_id"]))
        say(f"\nwhat its task was booked as: {entries.as_string(books)};")
        say(f"\nsql: {query.as_string(books)};")


_ENTRIES = """select book, account, commodity, quantity, rate_usd, amount_usd, span_id, entry_id
  from ledger.postings where tenant = {tenant} and trace_id = {trace} order by occurred_at, recorded_at, entry_id, line"""

_ENTRY = "{}::uuid"
_CALLS = "any (array(select entry_id from ledger.trace_calls({}) where entry_id is not null))"
_POSTINGS = """select p.tenant, p.kind, p.occurred_at, p.posted_on, p.recorded_at, p.book, p.account, p.commodity, p.quantity,
       p.rate_usd, p.amount_usd, r.source as rate_source, p.trace_id, p.span_id, p.entry_id
  from ledger.postings p left join ledger.rates r on r.rate_id = p.rate_id
 where p.entry_id = {entries} order by p.occurred_at, p.entry_id, p.line, p.quantity desc"""

_SEGMENT = """
select s.* from ledger.segments s
  join ledger.decisions d on d.tenant = s.tenant and d.comparison = s.comparison and d.segment_number = s.segment_number
 where d.decision_id = %s::uuid"""


def _say_head(told: dict[str, Any]) -> None:
    when = f"{told['decided_at']:%Y-%m-%d %H:%M:%S} UTC"
    say(f"{told['kind']} ({told['layer']}) of {told['tenant']} at {when}, id {told['decision_id']}")
    say(f"task: {told['task_class'] or 'of no known class'}, agent {told['agent'] or 'unknown'}, trace {told['trace_id']}")
    status = told["status"] or "not appraised yet: run `pigou appraise`"
    say(f"chosen: {told['chosen']}; best: {told['best'] or 'not known'}; {status.replace('_', ' ')}")
    if told["regret_usd"] is not None:
        low, high = float(told["regret_low_usd"]), float(told["regret_high_usd"])
        say(f"regret: {float(told['regret_usd']):.6g} USD, between {low:.6g} and {high:.6g}")
    say("")


def _say_reasons(told: dict[str, Any], segment: dict[str, Any] | None) -> None:
    say("terms in USD: V·Q, C, λ·L, ρ·R, their net, and the standard error of net against the chosen option's")
    context = cast("dict[str, float | None]", told["context"] or {})
    say(
        "known before: "
        + ", ".join(f"{name} {'unknown' if value is None else f'{value:.4g}'}" for name, value in context.items())
    )
    for field, how in cast("dict[str, str]", told["provenance"]).items():
        say(f"inferred {field}: {how}")
    say(f"assigned: {told['assignment']}; method: {told['method'] or 'none yet'}")
    if told["why"]:
        say(f"why: {told['why']}")
    if segment is not None:
        found = ", a finding" if segment["is_discovery"] else ""
        say(f"segment: {segment['segment']}, {segment['n']} decisions, regret {_total(segment)}{found}")
        needs = [
            f"{segment['needs_outcomes']} more outcomes" if segment["needs_outcomes"] is not None else "",
            f"random choices in {segment['needs_exploration']:.1%}" if segment["needs_exploration"] is not None else "",
        ]
        if any(needs):
            say(f"what would settle it: {' or '.join(need for need in needs if need)}")


def _total(segment: dict[str, Any]) -> str:
    if segment["regret_usd"] is None:
        return "not known"
    value, low, high = (float(segment[name]) for name in ("regret_usd", "regret_low_usd", "regret_high_usd"))
    return f"{value:.6g} USD, between {low:.6g} and {high:.6g}"


def _write_document(books: psycopg.Connection, query: Any, told: dict[str, Any], segment: dict[str, Any] | None) -> None:
    import msgspec
    from psycopg.rows import dict_row

    with books.cursor(row_factory=dict_row) as cursor:
        options = cursor.execute(query).fetchall()
    document = {**told, "options": options, "segment": segment, "sql": query.as_string(books)}
    say(msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1).decode())
