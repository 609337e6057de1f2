"""One rule of alerts: from which value on something is wrong, for all tenants or for one; and every revision of it."""

from dataclasses import replace
from urllib.parse import urlencode

from dash import dcc, html

from dashboard import acts, formats
from dashboard.acts import Refused
from dashboard.components.form import Field, fields_of, form_bar
from dashboard.components.panel import Children, Panel, View, nothing
from dashboard.components.table import Column, table
from dashboard.filters import ALERT_DIMENSIONS
from dashboard.pages.alert_words import RULES, value_said
from dashboard.pages.page import Page, Shell
from dashboard.pages.stating import Asked, Done, length_said, register_form

Row = dict[str, object]
_ACTS = {
    "save": ("Save", "A further revision: from the next evaluation on it holds"),
    "withdraw": ("Back to what is for all", "Take back what is the tenant's own"),
}
_TEXTS = ("open_at", "close_at", "evidence_min", "open_for", "close_for", "stay_for", "renotify_every", "grown_by")


def rule(view: View) -> Children:
    """The rule's fields, as they hold."""
    row = view.ask("alert_rule", values=_key(view)).first()
    back = html.P([dcc.Link("Alerts", href="/alerts#section-alert_rules"), " / rules"], className="crumbs")
    if row is None:
        return [back, html.H1("There is no rule of this name.", className="headline"), *_names(view)]
    tenant, name = _tenant(view), str(row["rule"])
    whose = f"for {tenant}" if tenant else "for all tenants"
    if tenant and row["tenant"] is None:
        whose += ", which has none of its own yet: what is for all is shown"
    return [
        back,
        html.H1(f"Rule {name}, {whose}.", className="headline name own" if row["tenant"] is not None else "headline name"),
        html.P(RULES.get(name, ""), className="change"),
        fields_of("rule", fields(row, tenant)),
    ]


def fields(row: Row, tenant: str) -> list[Field]:
    """The fields of a rule. For whom it is can be chosen while it is for all."""
    numbers = {name: _plain(row[name]) for name in ("open_at", "close_at", "evidence_min", "grown_by")}
    unit = f"now: {value_said(row['rule'], row['open_at'])}"
    whom = [Field("tenant", "For the tenant", "blank: for all that have none of their own", placeholder="all")]
    return [
        *([] if tenant else whom),
        Field("is_on", "On", "off: it neither opens nor is told", "choice", "on" if row["is_on"] else "off", _SWITCH),
        Field("severity", "Severity", "channels may ask for a least one", "choice", str(row["severity"]), _SEVERITIES),
        Field("open_at", "Wrong from", unit, value=numbers["open_at"]),
        Field("close_at", "Right again below", f"now: {value_said(row['rule'], row['close_at'])}", value=numbers["close_at"]),
        Field("evidence_min", "Evidence, at least", "how much must have been looked at", value=numbers["evidence_min"]),
        Field("open_for", "Opens when wrong for", "90s, 30m, 4h, 2d", value=length_said(row["open_for"])),
        Field("close_for", "Resolves when right for", "90s, 30m, 4h, 2d", value=length_said(row["close_for"])),
        Field("stay_for", "Stays at least", "keeps it from coming and going", value=length_said(row["stay_for"])),
        Field("renotify_every", "Told again every", "while nobody acknowledges it", value=length_said(row["renotify_every"])),
        Field("grown_by", "Told again when grown by", "times what was last told; blank: as it is", value=numbers["grown_by"]),
    ]  # fmt: skip


_SWITCH = {"on": "on", "off": "off"}
_SEVERITIES = {severity: severity for severity in ("info", "warning", "critical")}


def history(view: View) -> Children:
    """Every revision, the newest first."""
    frame = view.ask("rule_history", values=_key(view))
    if not len(frame):
        return [nothing("It has none of its own: what is for all holds.")]
    columns = (
        Column("recorded_at", "When, UTC", "time", 172),
        Column("source", "Stated by", width=170, grow=1),
        Column("on_said", "On", width=90),
        Column("severity", "Severity", "severity", 96),
        Column("opens_said", "Wrong from", width=150),
        Column("closes_said", "Right below", width=150),
        Column("again_said", "Told again every", width=140),
        Column("revision", "Revision", "count", 90),
    )
    name = view.filters.where.get("rule", ("",))[0]
    rows = [
        {
            **row,
            "on_said": "withdrawn" if row["is_withdrawn"] else "on" if row["is_on"] else "off",
            "again_said": length_said(row["renotify_every"]),
            "opens_said": value_said(name, row["open_at"]),
            "closes_said": value_said(name, row["close_at"]),
        }
        for row in frame
    ]
    return [table("rule_history", columns, rows, row_key=("revision",))]


def perform(collector: str, asked: Asked) -> Done | Refused:
    """Ask for a further revision, or for taking back a tenant's own."""
    name = asked.view.filters.where.get("rule", ("",))[0] or ""
    tenant = _tenant(asked.view) or asked.text("tenant")
    path = f"/v1/rules/{acts.within(name)}"
    person: dict[str, object] = {"who": asked.who, "tenant": tenant or None}
    address = "/rule" + replace(asked.view.filters, where={"rule": (name,), **({"tenant": (tenant,)} if tenant else {})}).search()
    if asked.act == "withdraw":
        if not tenant:
            return Refused("what is for all cannot be taken back; switch it off instead", "is_on")
        return acts.ask(collector, f"{path}/withdraw", person) or Done(f"For {tenant} holds again what is for all.", address)
    stated: dict[str, object] = {field: asked.text(field) for field in _TEXTS if asked.text(field)}
    stated |= {"is_on": asked.text("is_on") == "on", "severity": asked.text("severity")}
    return acts.ask(collector, path, {**person, **stated}) or Done(f"Stated for {tenant or 'all'}.", address)


def _names(view: View) -> Children:
    names = [str(row["rule"]) for row in view.ask("rule_names")]
    return [html.Ul([html.Li(dcc.Link(name, href=f"/rule?{urlencode({'rule': name})}")) for name in names], className="plain")]


def _plain(value: object) -> str:
    number = formats.number(value)
    return "" if number is None else f"{float(number):.12g}"


def _tenant(view: View) -> str:
    return view.filters.where.get("tenant", ("",))[0] or ""


def _key(view: View) -> dict[str, str]:
    return {"rule": view.filters.where.get("rule", ("",))[0] or "", "tenant": _tenant(view)}


def _register(shell: Shell) -> None:
    register_form(shell, "rule", "/rule", perform)


PAGE = Page(
    path="/rule",
    name="rule",
    under="/alerts",
    filtered=False,
    dimensions=ALERT_DIMENSIONS,
    register=_register,
    around=lambda: [form_bar("rule", _ACTS)],
    panels=(
        Panel("rule", "", rule, skeleton_px=320),
        Panel("rule_history", "How it was stated", history, "Nothing is edited.", skeleton_px=160),
    ),
)
