"""What a channel is: where alerts are told, which of them, and when it is given up.

Secrets are never part of it. A field that holds one says where it is read from: `env:NAME` or `file:/path`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ledger.errors import LedgerError

Severity: TypeAlias = Literal["info", "warning", "critical"]

_DURATION = re.compile(r"(\d{1,6})([smhd])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_AT, _NAMED, _BEFORE = re.compile(r" at `\$\.(\w+)"), re.compile(r"field `(\w+)`"), re.compile(r"(\w+): ")
_KINDS = "webhook, slack, email, alertmanager or otlp"
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")

Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Some: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class ChannelError(LedgerError):
    """A channel cannot be as stated."""


class UnknownChannel(ChannelError):
    """There is no such channel."""


class _NoLength(ValueError):
    """A field that is no length of time."""

    def __init__(self, said: str, field: str) -> None:
        super().__init__(said)
        self.field = field


class _Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields that all kinds have besides their settings."""

    name: Name
    tenant: Name | None = None
    rules: list[str] | None = None
    tenants: list[str] | None = None
    severity: Severity = "info"
    escalate_after: str | None = None
    group_for: str = "5s"
    give_up_after: str = "3d"


def is_reference(text: str) -> bool:
    """Whether a text says where a secret is read from."""
    return _REFERENCE.fullmatch(text) is not None


def duration(text: str) -> timedelta:
    """A length of time as people write it: 90s, 30m, 4h, 2d. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no length of time; write 90s, 30m, 4h or 2d")
    return timedelta(**{_UNIT[found[2]]: int(found[1])})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """What all kinds have."""

    page: Some | None = None
    """Where the page is reached, such as http://127.0.0.1:4320: what is told links to it."""
    ca_file: Some | None = None
    """Certificates to trust instead of the system's."""

    def __post_init__(self) -> None:
        """Raise ValueError on what cannot be."""
        if self.page is not None:
            _refuse_url("page", self.page)


class _Http(Settings, frozen=True, kw_only=True):
    url: Some
    headers: dict[str, Some] = {}
    """More headers; their values are secrets."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_url("url", self.url)
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name):
                raise ValueError(f"headers: {name!r} is no name of a header")
            _refuse_secret(f"headers: {name}", value)


class Webhook(_Http, frozen=True, kw_only=True, tag="webhook"):
    """JSON to an address, signed."""

    secret: Some

    def __post_init__(self) -> None:
        """Raise ValueError on what cannot be."""
        super().__post_init__()
        _refuse_secret("secret", self.secret)


class Slack(Settings, frozen=True, kw_only=True, tag="slack"):
    """An incoming webhook of Slack, whose address is the secret."""

    url: Some

    def __post_init__(self) -> None:
        """Raise ValueError on what cannot be."""
        super().__post_init__()
        _refuse_secret("url", self.url)


class Email(Settings, frozen=True, kw_only=True, tag="email"):
    """Mail by SMTP."""

    host: Some
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Some | None = None
    password: Some | None = None
    sender: Some = msgspec.field(name="from")
    to: Annotated[list[Some], msgspec.Meta(min_length=1, max_length=50)]

    def __post_init__(self) -> None:
        """Raise ValueError on what cannot be."""
        super().__post_init__()
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.password is not None:
            _refuse_secret("password", self.password)
            if self.security == "none":
                raise ValueError("a password is not sent in clear; security is starttls or tls")
        for address in (self.sender, *self.to):
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is no mail address")


class Alertmanager(_Http, frozen=True, kw_only=True, tag="alertmanager"):
    """Prometheus's Alertmanager, by its API v2: what stands open is repeated."""

    repeat_every_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60


class Otlp(_Http, frozen=True, kw_only=True, tag="otlp"):
    """Log records to an OTLP endpoint over HTTP; /v1/logs is added to the address."""


AnySettings: TypeAlias = Webhook | Slack | Email | Alertmanager | Otlp

EVENTS_MAX: dict[type[AnySettings], int] = {Slack: 10, Email: 50}
"""How many events go into one message. Slack takes 50 blocks and some 12,000 characters in all."""
_EVENTS_MAX = 100
PACE_S: dict[type[AnySettings], int] = {Slack: 1}
"""Seconds between messages: Slack allows one."""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as stated. `tenant` None: it hears of all tenants, or of those in `tenants`."""

    name: str
    tenant: str | None
    settings: AnySettings
    rules: list[str] | None = None
    tenants: list[str] | None = None
    severity: Severity = "info"
    """Hears of alerts of this severity and above."""
    escalate_after: timedelta | None = None
    group_for: timedelta = timedelta(seconds=5)
    give_up_after: timedelta = timedelta(days=3)

    @property
    def kind(self) -> str:
        """The kind's word."""
        return str(self.settings.__struct_config__.tag)

    @property
    def events_max(self) -> int:
        """How many events go into one message."""
        return EVENTS_MAX.get(type(self.settings), _EVENTS_MAX)

    @property
    def pace_s(self) -> int:
        """Seconds between two messages."""
        return PACE_S.get(type(self.settings), 0)


def read_settings(stored: dict[str, Any]) -> AnySettings:
    """The settings as they were stored, or as a file has them. Raises msgspec.ValidationError."""
    return msgspec.convert(stored, AnySettings)


def read_channel(item: dict[str, Any], place: str | None = None) -> Channel:
    """A channel as people state it: the fields that all kinds have beside those of its kind, `place` being where it was stated.

    Raises ChannelError on the first fault.
    """
    where = f"{place}: " if place else ""
    shared = {name: value for name, value in item.items() if name in _Filter.__struct_fields__}
    own = {name: value for name, value in item.items() if name not in shared}
    if "kind" not in own:
        raise ChannelError(f"{where}kind is missing", f"it is {_KINDS}", "kind")
    try:
        filtered = msgspec.convert(shared, _Filter)
        channel = Channel(
            name=filtered.name, tenant=filtered.tenant, settings=read_settings(own), rules=filtered.rules,
            tenants=filtered.tenants, severity=filtered.severity, group_for=_length("group_for", filtered.group_for),
            give_up_after=_length("give_up_after", filtered.give_up_after),
            escalate_after=_length("escalate_after", filtered.escalate_after) if filtered.escalate_after is not None else None,
        )  # fmt: skip
    except (msgspec.ValidationError, ValueError) as error:
        field = error.field if isinstance(error, _NoLength) else _field_of(str(error))
        raise ChannelError(f"{where}{error}", "docs/alerts.md shows each kind's fields", field) from error
    if channel.tenant is not None and channel.tenants is not None:
        raise ChannelError(f"{where}a channel of one tenant has no list of tenants", "leave one of the two out", "tenants")
    if not channel.give_up_after or (channel.escalate_after is not None and not channel.escalate_after):
        field = "escalate_after" if channel.give_up_after else "give_up_after"
        raise ChannelError(f"{where}give_up_after and escalate_after are longer than nothing", "name a length of time", field)
    return channel


def _length(field: str, text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise _NoLength(str(error), field) from None


def _field_of(said: str) -> str | None:
    """The field that a fault is about, as msgspec and we name it: a path at its end, a name in it, or one before a colon."""
    found = _AT.search(said) or _NAMED.search(said) or _BEFORE.match(said)
    if found is not None:
        return found[1]
    return "to" if "mail address" in said else "password" if "password" in said else None


def _refuse_url(field: str, url: str) -> None:
    if is_reference(url):
        return
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError(f"{field}: {url!r} is no address") from None
    if parts.scheme not in ("http", "https") or not has_host:
        raise ValueError(f"{field}: {url!r} is no address; it begins with http:// or https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            f"{field}: no user and password in an address; state a header, which names where its secret is read from"
        )


def _refuse_secret(field: str, text: str) -> None:
    if not is_reference(text):
        raise ValueError(f"{field}: say where the secret is read from, env:NAME or file:/path; none is kept in the database")
