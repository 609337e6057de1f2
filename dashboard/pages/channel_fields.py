"""The fields of a channel by its kind, and what they state. Secrets are written, and never shown again."""

from collections.abc import Mapping, Sequence
from typing import cast

from dashboard.components.form import Field
from dashboard.pages.stating import Asked, length_said

Row = dict[str, object]
KINDS = {
    "webhook": "Signed webhook",
    "slack": "Slack",
    "email": "E-mail",
    "alertmanager": "Alertmanager",
    "otlp": "OTLP log records",
}
_OWN: dict[str, tuple[str, ...]] = {
    "webhook": ("url", "secret", "headers"),
    "slack": ("url",),
    "email": ("host", "port", "security", "user", "password", "from", "to"),
    "alertmanager": ("url", "headers", "repeat_every_s"),
    "otlp": ("url", "headers"),
}
_SECRETS = {"secret", "password", "headers"}
_WHERE = "env:NAME or file:/path: where it is read from; it is never shown again"
_WORDS = {
    "url": ("Address", "http:// or https://"),
    "secret": ("Secret", _WHERE),
    "headers": ("More headers", f"one a line, name: {_WHERE}"),
    "host": ("Mail server", ""),
    "port": ("Port", "587 unless you say otherwise"),
    "security": ("Security", "without encryption no password is sent"),
    "user": ("User", ""),
    "password": ("Password", _WHERE),
    "from": ("From", "one mail address"),
    "to": ("To", "mail addresses, with commas between"),
    "repeat_every_s": ("Repeated every, seconds", "what stands open; 60 unless you say otherwise"),
}
_SEVERITIES = {severity: severity for severity in ("info", "warning", "critical")}


def is_secret(kind: str, name: str) -> bool:
    """Whether a field says where a secret is read from: written, and never shown again."""
    return name in _SECRETS or (kind == "slack" and name == "url")


def fields(kind: str, row: Row | None, rules: Sequence[str]) -> list[Field]:
    """The fields of a channel; `row` is how it stands, None for a new one."""
    settings = _settings(row)
    new = [
        Field("name", "Name", "letters, digits, dots, dashes and underscores"),
        Field("tenant", "Of the tenant", "blank: hears of all tenants", placeholder="all"),
    ]
    shared = [
        Field("severity", "From severity", "and above", "choice", str(row["severity_min"]) if row else "info", _SEVERITIES),
        Field("rules", "Of rules", "none chosen: of all", "many", _list(row, "rules"), {rule: rule for rule in rules}),
    ]
    if row is None or row["tenant"] is None:
        shared.append(
            Field("tenants", "Of tenants", "names with commas between; blank: of all", value=", ".join(_list(row, "tenants")))
        )
    shared += [
        Field("escalate_after", "Only what is not acknowledged for", "30m; blank: at once", value=_length(row, "escalate_after")),
        Field("group_for", "Waits to tell things together for", "5s unless you say otherwise", value=_length(row, "group_for")),
        Field("give_up_after", "Gives up after", "3d unless you say otherwise", value=_length(row, "give_up_after")),
        Field("page", "Address of this page", "what is told links to it", value=_text(settings, "page")),
        Field("ca_file", "File of certificates", "instead of the system's", value=_text(settings, "ca_file")),
    ]  # fmt: skip
    return [*([] if row else new), *(_own(kind, name, row) for name in _OWN[kind]), *shared]


def stated(asked: Asked, kind: str, row: Row | None) -> dict[str, object]:
    """A channel as a file would state it. A secret's blank field stays as it stands."""
    settings, item = _settings(row), dict[str, object](kind=kind)
    for name in _OWN[kind]:
        text = asked.text(name)
        if is_secret(kind, name) and not text:
            item |= {name: settings[name]} if settings.get(name) else {}
        elif text:
            item[name] = _read(name, text)
    item |= {
        name: asked.text(name)
        for name in ("severity", "escalate_after", "group_for", "give_up_after", "page", "ca_file")
        if asked.text(name)
    }
    rules = asked.values.get("rules")
    item |= {"rules": rules} if isinstance(rules, list) and rules else {}
    tenants = _several(asked.text("tenants"))
    return {**item, "tenants": tenants} if tenants else item


def _own(kind: str, name: str, row: Row | None) -> Field:
    label, meaning = _WORDS[name]
    if name == "security":
        chosen = _text(_settings(row), name) or "starttls"
        return Field(name, label, meaning, "choice", chosen, {word: word for word in ("starttls", "tls", "none")})
    if is_secret(kind, name):
        is_stated = bool(_settings(row).get(name))
        words = _WHERE if kind == "slack" else meaning
        return Field(
            name, label, words, "lines" if name == "headers" else "text", placeholder="as it is stated" if is_stated else ""
        )
    return Field(name, label, meaning, value=_text(_settings(row), name))


def _read(name: str, text: str) -> object:
    if name in ("port", "repeat_every_s"):
        return int(text) if text.isascii() and text.isdigit() else text
    if name == "to":
        return _several(text)
    if name == "headers":
        pairs = (line.partition(":") for line in text.splitlines() if line.strip())
        return {header.strip(): value.strip() for header, _, value in pairs}
    return text


def _several(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


def _settings(row: Row | None) -> Mapping[str, object]:
    return cast("Mapping[str, object]", row["settings"]) if row else {}


def _text(settings: Mapping[str, object], name: str) -> str:
    value = settings.get(name)
    if isinstance(value, list):
        return ", ".join(str(part) for part in cast("list[object]", value))
    return "" if value is None else str(value)


def _list(row: Row | None, name: str) -> list[str]:
    return [str(part) for part in cast("list[object] | None", row[name]) or ()] if row else []


def _length(row: Row | None, name: str) -> str:
    return length_said(row[name]) if row else ""
