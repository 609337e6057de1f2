"""An adopted schedule of autonomy: a file that says who confirms which class of action, and whether what was done complied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from analyzers.modes.autonomy_schedule import CONFIRMATIONS, Confirmation, Row
from ledger.cells import CellError, Form, read_cells

COLUMNS = ("tenant", "action_class", "task_class", "confirmation", "is_reversible", "why")
EVERY = "*"


class AutonomyError(CellError):
    """A statement of a schedule cannot be taken. `place` is the file and line, `column` what is wrong in it."""


_FORM = Form("action", "actions", COLUMNS, ("action_class", "confirmation"), {}, AutonomyError)


@dataclass(frozen=True, slots=True)
class Required:
    """What confirmation a class of action requires at least. `tenant` None: of all; `task_class` "*": in all classes of tasks."""

    tenant: str | None
    action_class: str
    task_class: str
    confirmation: Confirmation
    place: str = ""

    def covers(self, tenant: str, row: Row) -> bool:
        """Whether it speaks of what a tenant did."""
        return (
            self.tenant in (None, tenant)
            and self.action_class == row.action_class
            and self.task_class in (EVERY, row.task_class or "")
        )

    @property
    def narrowness(self) -> tuple[bool, bool]:
        """Of several statements that cover one thing the narrowest holds: a tenant's own before those of all, a class before
        all."""
        return self.tenant is not None, self.task_class != EVERY


@dataclass(frozen=True, slots=True)
class Compliance:
    """What was done of one class of action in one class of tasks, against what is required of it (None: nothing is)."""

    tenant: str
    row: Row
    required: Required | None
    complied: int
    weaker: int
    unstated: int


def read_schedule(path: Path) -> list[Required]:
    """All statements of a file, CSV or YAML. Raises AutonomyError, naming file, line and column, on the first fault."""
    found: list[Required] = []
    for line, cells in read_cells(path, _FORM):
        stated = _required({column: text.strip() for column, text in cells.items() if text.strip()}, f"{path}, line {line}")
        earlier = next((one for one in found if _key(one) == _key(stated)), None)
        if earlier is not None:
            raise AutonomyError(
                stated.place, "action_class", f"{stated.action_class} stands in {earlier.place} too", "state it once"
            )
        found.append(stated)
    return found


def written(rows: Mapping[str, Sequence[Row]], header: str) -> str:
    """The recommended schedule of tenants as YAML that `read_schedule` takes. `header`: its first line, as a comment."""
    stated: list[dict[str, object]] = [
        {
            "tenant": tenant,
            "action_class": row.action_class,
            "task_class": row.task_class or EVERY,
            "confirmation": row.recommended,
            "is_reversible": row.is_reversible,
            "why": row.why,
        }
        for tenant, of in rows.items()
        for row in of
    ]
    return f"# {header}\n" + yaml.safe_dump({_FORM.many: stated}, sort_keys=False, allow_unicode=True, width=120)


def compliance(tenant: str, rows: Sequence[Row], schedule: Sequence[Required]) -> list[Compliance]:
    """What a tenant did against a schedule. An action complies when it was confirmed by at least what is required; one that
    states no confirmation is neither: nobody knows."""
    found: list[Compliance] = []
    for row in rows:
        of = max((one for one in schedule if one.covers(tenant, row)), key=lambda one: one.narrowness, default=None)
        counts = {name: round(share * row.actions) for name, share in row.now.items()}
        needed = 0 if of is None else CONFIRMATIONS.index(of.confirmation)
        enough = sum(n for name, n in counts.items() if name in CONFIRMATIONS and CONFIRMATIONS.index(name) >= needed)
        unstated = 0 if needed == 0 else sum(n for name, n in counts.items() if name not in CONFIRMATIONS)
        if needed == 0:
            enough = row.actions
        found.append(Compliance(tenant, row, of, enough, row.actions - enough - unstated, unstated))
    return found


def _required(values: dict[str, str], place: str) -> Required:
    for column in _FORM.required:
        if column not in values:
            raise AutonomyError(place, column, "is missing", "state it for each action")
    confirmation = values["confirmation"]
    if confirmation not in CONFIRMATIONS:
        raise AutonomyError(
            place, "confirmation", f"{confirmation[:60]!r} is no way to confirm", f"write one of {', '.join(CONFIRMATIONS)}"
        )
    return Required(values.get("tenant"), values["action_class"], values.get("task_class", EVERY), confirmation, place)


def _key(one: Required) -> tuple[str | None, str, str]:
    return one.tenant, one.action_class, one.task_class
