"""Which kind of task a trace is: what it says itself, else the operator's rules, else a name made of the names in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

_LENGTH_MAX = 120
_TOOLS_SHOWN = 4
_ANSWERS_MAX = 20_000

# What differs between two tasks of one kind: identifiers, in the order in which they are looked for.
_MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE), "#"),
    (re.compile(r"(?<![0-9a-z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?![0-9a-z])", re.IGNORECASE), "#"),
    (re.compile(r"\d+"), "#"),
    (re.compile(r"#(?:[-_.:/,]?#)+"), "#"),
    (re.compile(r"\s+"), " "),
)
# Names of roots that every task of every kind may have: the tools tell more.
_GENERIC = re.compile(
    r"(?:invoke[_ ]agent|agent|workflow|chain|run|main|task|root|request|session|interaction|turn|llm|chat|completion|langgraph"
    r"|agent[_ ]run|(?:get|post|put|delete|patch)(?: /\S*)?)",
    re.IGNORECASE,
)


class Names(msgspec.Struct, frozen=True):
    """The names in a trace by which its class is told."""

    agent: str | None
    name: str | None
    service: str | None
    operation: str | None
    tools: tuple[str, ...]
    user: str | None

    def of(self, field: str) -> Sequence[str]:
        """The names of a field of the rules."""
        if field == "tool":
            return self.tools
        value = getattr(self, field)
        return () if value is None else (value,)


class ClassRule(msgspec.Struct, frozen=True):
    """A row of the operator's table: tasks in which `pattern` is found in a name of this field are of this class."""

    ordinal: int
    field: str
    pattern: str
    task_class: str


class ClassRules:
    """The table, compiled once; answers are remembered by the names they were given for. Raises re.error on a bad pattern."""

    def __init__(self, rules: Iterable[ClassRule]) -> None:
        self._rules = [(rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in sorted(rules, key=lambda rule: rule.ordinal)]
        self._answers: dict[Names, tuple[str | None, str]] = {}

    def class_of(self, explicit: str | None, names: Names) -> tuple[str | None, str]:
        """Class and where it comes from: explicit, rule, clustered, or none when nothing has a name."""
        if explicit:
            return explicit, "explicit"
        found = self._answers.get(names)
        if found is None:
            if len(self._answers) >= _ANSWERS_MAX:
                self._answers.clear()
            found = self._answers[names] = self._answer(names)
        return found

    def _answer(self, names: Names) -> tuple[str | None, str]:
        for rule, pattern in self._rules:
            if any(pattern.search(name) for name in names.of(rule.field)):
                return rule.task_class, "rule"
        made = clustered(names)
        return (made, "clustered") if made else (None, "none")


def clustered(names: Names) -> str | None:
    """A name for the kind of task, equal for equal names up to their identifiers; None when there is nothing to name it by.

    Agent (else service) and root, and the tools where the root's name says nothing: `coder/fix issue #`, `bot/chat[read,search]`.
    """
    who, root = masked(names.agent or names.service or ""), masked(names.name or "")
    if root in (who, f"invoke_agent {who}"):
        root = ""
    is_generic = not root or _GENERIC.fullmatch(root) is not None
    tools = sorted({masked(tool) for tool in names.tools}) if is_generic else []
    shown = ",".join(tools[:_TOOLS_SHOWN]) + (f",+{len(tools) - _TOOLS_SHOWN}" if len(tools) > _TOOLS_SHOWN else "")
    parts = [part for part in (who, root) if part]
    if not parts and not shown:
        return None
    return ("/".join(parts) + (f"[{shown}]" if shown else ""))[:_LENGTH_MAX]


def masked(name: str) -> str:
    """A name without what differs from task to task: numbers, hashes, UUIDs."""
    short = name[:_LENGTH_MAX].strip().lower()
    for pattern, mask in _MASKS:
        short = pattern.sub(mask, short)
    return short
