"""What `pigou --help` shows: the commands under what somebody wants of them, each with the whole first line of its help."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

SECTIONS: dict[str, tuple[str, ...]] = {
    "Run it": ("up", "demo", "doctor", "replay", "migrate", "version"),
    "See where dollars are lost": (
        "findings", "alerts", "misallocation", "regret", "explain", "appraise", "production", "predictions",
        "latency", "pooling", "risk", "autonomy",
    ),
    "Ask the books": (
        "sql", "dsn", "bill", "reconcile", "statement", "trial-balance", "accounts", "assets", "check", "stated",
    ),
    "Say what tokens, time, risk and tasks are worth": (
        "rates", "rerate", "budgets", "prices", "quote", "policy", "tasks", "outcomes", "assignments", "uses",
    ),
    "Say who is told, who is let in, and what is kept": ("channels", "maintenance", "credentials", "periods", "retention"),
}  # fmt: skip


class Contents(TyperGroup):
    """A command with commands below it, that lists them with their whole first line, under headings where it has some."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # typer's, whose classes are private
        """Write the list into a help text."""
        shown = {name: command for name, command in self.commands.items() if not command.hidden}
        placed = {name for names in SECTIONS.values() for name in names}
        sections = SECTIONS if placed <= set(shown) else {"Commands": tuple(shown)}
        for heading, names in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, (shown[name].help or "").strip().partition("\n")[0]) for name in names])
