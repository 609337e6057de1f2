"""What is missing before decisions can be judged, each with lines that can be copied and run as they stand."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.panel import Children
from dashboard.door import is_named

Row = dict[str, object]


def next_steps(endpoint: str, tasks: Row, total: Row | None) -> Children:
    """The steps that are open, in the order in which they matter.

    `tasks` is the row of `tasks_total`, `total` that of `regret_total`, None where there is no decision.
    """
    steps: list[Component] = []
    if not tasks["tasks"] or (total is not None and total["unappraised"]):
        steps.append(
            _step(
                "Settle the traces into tasks and judge what was decided in them; `pigou up` does so by itself, every minute.",
                "pigou appraise",
            )
        )
    if not tasks["tasks"] or tasks["with_outcome"] != tasks["tasks"]:
        steps.append(
            _step(
                _said(tasks, "with_outcome", "say how they went", "Say how tasks went"),
                outcome_lines(endpoint, needs_token=is_named()),
            )
        )
    if not tasks["tasks"] or tasks["with_value"] != tasks["tasks"]:
        steps.append(_step(_said(tasks, "with_value", "have a value (V)", "Say what tasks are worth"), POLICY_LINES))
    if total is None or total["not_identified"]:
        steps.append(_step(_unidentified(total), PROPENSITY_LINES, "python"))
        steps.append(_step("Or state of a kind of decision that its context tells all that moved the choice.", ASSIGNMENT_LINES))
    return [html.Div(steps, className="next-steps")]


def needed(outcomes: object, exploration: object) -> str:
    """What would settle decisions that stay open, in words; empty where nothing is known to."""
    parts: list[str] = []
    if outcomes is not None:
        parts.append(f"{formats.count(outcomes, 'more outcome')}")
    if exploration is not None:
        parts.append(f"{formats.share(exploration, 1)} of choices at random")
    return " or ".join(parts)


def outcome_lines(endpoint: str, *, needs_token: bool) -> str:
    """One outcome told over HTTP."""
    token = " -H 'authorization: Bearer TOKEN'" if needs_token else ""
    return (
        f"curl {endpoint}/v1/outcomes{token} -H 'content-type: application/json' -d '\n"
        '  {"outcomes": [{"key": "ticket-4711", "quality": 1,\n'
        """                 "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}]}'"""
    )


POLICY_LINES = """cat > policy.csv <<END
task_class,v_usd,lambda_usd_per_s,rho
support.*,2.50,0.001,1
END
pigou policy import policy.csv"""
ASSIGNMENT_LINES = "pigou assignments set verify recorded --task-class code.fix_test"
PROPENSITY_LINES = """span.set_attributes({
    "allocation.route.candidates": ["small", "large"],
    "allocation.route.chosen": "small",
    "allocation.route.propensity": 0.95,  # the chance it had
})"""


def _said(tasks: Row, column: str, verb: str, command: str) -> str:
    if not tasks["tasks"]:
        return f"{command}."
    known, whole = tasks[column], tasks["tasks"]
    return f"{known:,} of {formats.count(whole, 'task')} {verb}."


def _unidentified(total: Row | None) -> str:
    explained = "log at the choice what it was between and how likely it was, and let a few choices be random."
    if total is None:
        return f"Let choices be compared: {explained}"
    return f"{formats.count(total['not_identified'], 'decision')} cannot be compared with what was not chosen: {explained}"


def _step(said: str, code: str, language: str = "bash") -> Component:
    lines = dmc.CodeHighlight(code=code, language=language, copyLabel="Copy", copiedLabel="Copied")
    return html.Div([html.P(said, className="change"), lines], className="next-step")
