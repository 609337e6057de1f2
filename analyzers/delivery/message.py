"""What is told: events of alerts as they were, in one message, and what came of sending it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias
from urllib.parse import urlencode
from uuid import UUID, uuid4, uuid5

import msgspec

Result: TypeAlias = Literal["sent", "failed", "refused", "lost"]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an alert, and the alert as it was then; see `pigou.alert_said`. `event` None: how the alert stands."""

    tenant: str
    alert_id: int
    rule: str
    subject: str
    severity: Literal["info", "warning", "critical"]
    state: str
    opened_at: datetime
    resolved_at: datetime | None
    value: str
    threshold: str
    message: str
    mend: str
    notifications: int
    event_id: int | None = None
    event: str | None = None
    at: datetime | None = None
    who: str | None = None
    note: str | None = None

    def key(self, installation: UUID) -> str:
        """The event's own key, the same in every channel and every repetition."""
        happened = self.at.isoformat() if self.at else ""
        return str(uuid5(installation, f"{self.tenant}/{self.alert_id}/{self.event_id}/{happened}"))

    def link(self, page: str | None) -> str | None:
        """Where the page shows the alert."""
        return f"{page.rstrip('/')}/alerts?{urlencode({'tenant': self.tenant, 'alert': self.alert_id})}" if page else None

    @property
    def title(self) -> str:
        """What happened to what, in one line."""
        subject = f" {self.subject}" if self.subject else ""
        return " ".join(f"{self.event or self.state}: {self.rule}{subject} of {self.tenant}".split())


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Events that are sent in one piece. A repetition is equal but for `attempt`."""

    key: str
    kind: Literal["events", "summary", "standing", "test"]
    made_at: datetime
    told: list[Told]
    installation: UUID

    @property
    def title(self) -> str:
        """The message in one line."""
        if self.kind == "summary":
            return f"after maintenance: {_count(len(self.told), 'event')} of {_count(len(self.alerts()), 'alert')} meanwhile"
        first = self.told[0]
        if len(self.told) == 1:
            return f"{first.severity} {first.title}"
        return f"{_worst(self.told)} {len(self.told)} events of {_count(len(self.alerts()), 'alert')}, first {first.title}"

    def alerts(self) -> list[Told]:
        """Each alert once, as the last of its events has it."""
        return list({(told.tenant, told.alert_id): told for told in self.told}.values())


class Outcome(msgspec.Struct, frozen=True):
    """What came of an attempt.

    sent; failed: the channel is tried again, with everything; refused: this message is tried again, others may pass;
    lost: the receiver took it and threw something away, and asks not to be sent it again.
    """

    result: Result
    answer: str
    retry_after_s: float | None = None


def _worst(told: list[Told]) -> str:
    ranks = ("info", "warning", "critical")
    return max((one.severity for one in told), key=ranks.index)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def trial(tenant: str, installation: UUID) -> Message:
    """A message that says it is a test; its key is new each time."""
    now = datetime.now(UTC)
    told = Told(
        tenant=tenant, alert_id=0, rule="test", subject="", severity="info", state="open", opened_at=now, resolved_at=None,
        value="0", threshold="0", message="This is a test of a channel: nothing is wrong.", mend="nothing is to be done",
        notifications=1, event="test", at=now,
    )  # fmt: skip
    return Message(key=str(uuid4()), kind="test", made_at=now, told=[told], installation=installation)
