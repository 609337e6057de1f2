"""One span beside the waterfall: what the books made of it, and everything it said."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import cast

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.panel import Children, View, nothing

_TEXT = re.compile(r"messages|system_instructions|prompts?$|completions?$|gen_ai\.(prompt|completion)\.|(input|output)\.value")
_KEPT, _DROPPED = "pigou.content_kept", "pigou.content_dropped"
_LONG = 2000  # characters of one attribute that are shown


def span_details(view: View, trace_id: str, span_id: str) -> tuple[str, Children]:
    """Title and body of the side panel. Raises: BooksUnavailable."""
    span = view.ask("trace_span", values={"trace_id": trace_id, "span_id": span_id}).first()
    if span is None:
        return "This span", [nothing("It is no longer in the books.")]
    body: Children = [_facts(_span_facts(span))]
    key = {
        "trace_id": trace_id,
        "span_id": span_id,
        "tenant": str(span["tenant"]),
        "started_at": cast(datetime, span["started_at"]),
    }
    is_call = span["call_status"] is not None
    if is_call:
        call = view.ask("trace_call", values=key).first()
        if call is not None:
            body += [html.H3("What the books made of it"), _facts(_call_facts(call)), *_copy(call)]
    attributes = cast("dict[str, object] | None", span["attributes"]) or {}
    # Before text had a table of its own, it was kept among the attributes.
    among = {name: value for name, value in attributes.items() if is_call and _TEXT.search(name)}
    if is_call or _KEPT in attributes:
        body += [html.H3("Prompt and answer" if is_call else "Text"), _text_of(view, key, attributes, among)]
    body += [html.H3("Attributes"), _attributes({name: value for name, value in attributes.items() if name not in among})]
    body += [html.H3("SQL"), dmc.CodeHighlight(code="\n\n".join(f"{one.text};" for one in view.statements), language="sql")]
    return str(span["name"]), body


def _span_facts(span: dict[str, object]) -> list[tuple[str, str]]:
    failed = f"failed: {span['status_message'] or 'no message'}" if span["status_code"] == 2 else ""
    said = [
        ("started, UTC", formats.moment(span["started_at"])),
        ("duration", formats.duration(span["latency_ms"])),
        ("status", failed),
        ("role", f"{span['role']}, from a {span['signal']}"),
        ("layer, use", " / ".join(str(span[name]) for name in ("layer", "use") if span[name])),
        ("agent", str(span["agent"] or "")),
        ("service", str(span["service"] or "")),
        ("recorded by", str(span["scope_name"] or "")),
        ("span", str(span["span_id"])),
        ("parent", str(span["parent_span_id"] or "none")),
    ]
    return [(label, value) for label, value in said if value]


def _call_facts(call: dict[str, object]) -> list[tuple[str, str]]:
    said = [
        ("status", f"{call['status']}{': ' + str(call['reason']) if call['reason'] else ''}"),
        ("cost", formats.usd(call["cost_usd"]) if call["cost_usd"] is not None else formats.UNKNOWN),
        ("sender's cost", formats.usd(call["claimed_cost_usd"]) if call["claimed_cost_usd"] is not None else ""),
        ("model", " / ".join(str(call[name]) for name in ("provider", "model") if call[name])),
        ("tier", str(call["service_tier"] or "")),
        ("read as", f"{call['dialect']}, {call['confidence']}"),
        ("layer, use known", f"{call['layer_source']}, {call['use_source']}"),
        ("entry", str(call["entry_id"] or "")),
    ]
    kinds = {
        "fresh input": "input_tokens",
        "cache read": "cache_read_tokens",
        "cache write": "cache_write_tokens",
        "output": "output_tokens",
        "reasoning": "reasoning_tokens",
    }
    said[3:3] = [(label, f"{cast(Decimal, call[name]):,} tokens") for label, name in kinds.items() if call[name] is not None]
    return [(label, value) for label, value in said if value]


def _copy(call: dict[str, object]) -> Children:
    if call["copy_of_span_id"] is None:
        return []
    booked = f"span {call['copy_of_span_id']}"
    return [
        html.P(
            ["A copy of ", dcc.Link(booked, href=f"/trace/{call['copy_of_trace_id']}"), ", which is the one booked."],
            className="note",
        )
    ]


def _facts(said: list[tuple[str, str]]) -> Component:
    return html.Dl([part for label, value in said for part in (html.Dt(label), html.Dd(value))], className="pairs")


def _text_of(
    view: View, key: Mapping[str, str | datetime], attributes: Mapping[str, object], among: dict[str, object]
) -> Component:
    """Text is there where the collector was told to keep it, until its retention is over, and shown only once it is asked for."""
    kept = view.ask("trace_text", values=key).first() if _KEPT in attributes else None
    text = among | _by_name(kept) if kept is not None else among
    if text:
        return html.Details([html.Summary("Show the text that was kept"), _attributes(text)])
    if _KEPT in attributes:
        return nothing(_gone(view.ask("trace_text_gone", values=key).first() or {}))
    if _DROPPED in attributes:
        return nothing("Their text is not kept: the collector drops it unless it is told otherwise (--keep-content).")
    return nothing("The span came without text.")


def _by_name(kept: Mapping[str, object]) -> dict[str, object]:
    """The text of attributes, events and body, each value by where it was."""
    said = dict(cast("dict[str, object] | None", kept["attributes"]) or {})
    for event in cast("list[dict[str, object]] | None", kept["events"]) or []:
        for name, value in cast("dict[str, object]", event["attributes"]).items():
            said[f"event {cast(int, event['event']) + 1}, {event['name']}: {name}"] = value
    if kept["body"] is not None:
        said["body"] = kept["body"]
    return said


def _gone(gone: Mapping[str, object]) -> str:
    dropped_at, days = gone.get("dropped_at"), gone.get("keep_days")
    until = f" until {formats.day(dropped_at)}" if isinstance(dropped_at, datetime) else ""
    why = f": text is kept for {formats.count(days, 'day')} (pigou retention)" if days is not None else ""
    return f"Their text was kept{until} and is gone{why}."


def _attributes(attributes: dict[str, object]) -> Component:
    if not attributes:
        return nothing("The span carries none.")
    return html.Dl(
        [part for name in sorted(attributes) for part in (html.Dt(name), html.Dd(_text(attributes[name])))],
        className="pairs mono",
    )


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text):,} characters)"
