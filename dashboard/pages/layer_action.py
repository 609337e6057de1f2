"""The action layer: what a dollar more of each use brings, how actions are confirmed, what hand-offs return, checks are worth."""

from typing import cast

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import formats
from dashboard.components.marks import graph, known_or, sentence
from dashboard.components.panel import Children, View, nothing
from dashboard.components.table import Column, table
from dashboard.figures import production as figures
from dashboard.filters import Filters

Row = dict[str, object]
CONFIRMATIONS = {
    "none": "nobody asked",
    "self": "checked itself",
    "human": "a person's yes",
    "multi_party": "several people's yes",
}
_SILENT = "checks that never fail"  # as the mode calls the place
_FEW_CHECKS = 30  # below this many, none failing says nothing
_RARE = 3.0  # of n checks none of which failed, fewer than 3/n would, at 95 %


def production(view: View) -> Children:
    """Marginal products of read, plan, act and verify by class of tasks; equal where money is spent well."""
    made = figures.classes_of(view.ask("production", limit=None))
    if not made:
        return [
            nothing(
                "No task has both an outcome and calls that are all priced: report outcomes (POST /v1/outcomes, docs/tasks.md)."
            )
        ]
    known = [one for one in made if one.is_known]
    unknown = [one for one in made if not one.is_known]
    drawn: Children = []
    if known:
        figure = figures.production(known, view.filters.search())
        said = f"What one more dollar brings in {formats.count(len(known), 'class', 'classes')} of tasks."
        drawn = [
            html.P(
                "Bars begin at the dollar that is spent. At the optimum none is left: every use brings that dollar back.",
                className="note",
            ),
            graph("production", figure, figures.height_px(known), said),
            html.Ul([_equal(one) for one in known[: figures.CLASSES_SHOWN]], className="sentences"),
        ]
    return [*drawn, *(_not_known(unknown, is_all=not known) if unknown else [])]


def _equal(one: figures.Made) -> Component:
    name = f"{known_or(one.task_class)} ({one.tenant}, {formats.count(one.tasks, 'task')}): "
    starved = [use.use for use in one.uses if use.verdict == "starved"]
    bloated = [use.use for use in one.uses if use.verdict == "bloated"]
    said = [
        f"{' and '.join(uses)} {words}"
        for uses, words in ((starved, "would bring more than it costs"), (bloated, "brings less than it costs"))
        if uses
    ] or ["no use is clear of the dollar it costs"]
    if one.equal_p is not None:
        said.append(f"that all bring the same has a p-value of {one.equal_p:.2g}")
    said += [f"{pair} make each other worth more" for pair in one.together] + [
        f"{pair} stand in for each other" for pair in one.instead
    ]
    return sentence([f"{name}{'; '.join(said)}."], act=bool(starved or bloated))


def _not_known(made: list[figures.Made], *, is_all: bool) -> Children:
    columns = (
        Column("task_class", "Task class", width=160, grow=1),
        Column("tenant", "Tenant", width=100),
        Column("tasks", "Tasks", "count", 90),
        *(Column(use, f"{use.capitalize()}, USD a task", "usd", 140) for use in figures.USES),
    )
    rows: list[Row] = [
        {
            "task_class": one.task_class,
            "tenant": one.tenant,
            "tasks": one.tasks,
            **{use.use: use.usd_per_task for use in one.uses},
        }
        for one in made
    ]
    needs = list(dict.fromkeys(one.settled_by for one in made if one.settled_by))
    count = formats.count(len(made), "class", "classes")
    return [
        html.Details(
            [
                html.Summary(f"Spent on each use where what it brings is not known ({count})"),
                table("production_unknown", columns, rows, row_key=("tenant", "task_class")),
                html.Ul([sentence([f"To know it: {need}."], act=True) for need in needs], className="sentences"),
            ],
            open=is_all,
        )
    ]


def autonomy(view: View) -> Children:
    """Class of action × confirmation: the share of today, the one that should be framed, with the loss borne in each cell."""
    frame = view.ask("autonomy", limit=None)
    if not len(frame):
        need = "State the class of consequential actions and who confirmed them (allocation.action.*, docs/telemetry.md)."
        return [nothing(f"No action is known that somebody could confirm. {need}")]
    names = [*CONFIRMATIONS, *(["unknown"] if any("unknown" in _now(row) for row in frame) else [])]
    head = [html.Th("Action", scope="col"), *(html.Th(CONFIRMATIONS.get(name, "not stated"), scope="col") for name in names)]
    head += [html.Th(name, scope="col") for name in ("Done so", "Gain an action", "Why")]
    body = [_action(row, names) for row in frame]
    return [
        html.Div(
            html.Table([html.Thead(html.Tr(head)), html.Tbody(body)], className="heat autonomy"), className="scrolls", tabIndex=0
        ),
        html.P(
            "Share of actions today; framed: how they should be confirmed. Below it the loss to expect of one such action, 95 %."
            " Done so: the share confirmed by at least what should be.",
            className="note",
        ),
    ]


def _now(row: Row) -> dict[str, float]:
    return cast("dict[str, float]", row["confirmed_now"]) if isinstance(row["confirmed_now"], dict) else {}


def _action(row: Row, names: list[str]) -> Component:
    now, should = _now(row), str(row["recommended"])
    borne = {str(one["confirmation"]): one for one in cast("list[Row]", row["borne"] or [])}
    order = list(CONFIRMATIONS)
    enough = (
        sum(share for name, share in now.items() if name in order and order.index(name) >= order.index(should))
        if should in order
        else 0.0
    )
    undone = {True: "can be undone", False: "cannot be undone"}.get(cast(bool, row["is_reversible"]), "")
    under = ", ".join(word for word in (known_or(cast("str | None", row["task_class"])), str(row["tenant"]), undone) if word)
    gain = None if row["gain_usd"] is None else round(float(formats.number(row["gain_usd"]) or 0), 2)
    count = formats.count(row["actions"], "action")
    return html.Tr(
        [
            html.Th([html.Span(str(row["action_class"]), className="name"), html.Small(f"{under}, {count}")], scope="row"),
            *(_confirmed(name, now.get(name), borne.get(name), is_best=name == should) for name in names),
            html.Td(html.Span(formats.share(enough, 1), className="cell act" if enough < 0.5 else "cell")),
            html.Td(html.Span("–" if gain is None else formats.usd(gain), className="cell")),
            html.Td(html.Span(str(row["why"]), className="cell why")),
        ]
    )


def _confirmed(name: str, share: float | None, borne: Row | None, *, is_best: bool) -> Component:
    loss = cast("Row | None", borne["expected_loss_usd"]) if borne else None
    said: Children = [formats.share(share, 1) if share else "–"]
    if loss is not None and loss["value"] is not None:
        value, low, high = (round(float(formats.number(loss[end]) or 0), 4) for end in ("value", "low", "high"))
        said.append(html.Small([formats.usd_estimate(value, low, high), html.Br(), f"({formats.usd_interval(low, high)})"]))
    shade = cast("dict[str, object]", {"--strength": f"{(share or 0) * 100:.0f}%"})
    title = f"{CONFIRMATIONS.get(name, name)}: {formats.share(share or 0, 1)} of actions today"
    title += ", and how it should be" if is_best else ""
    classes = "shaded value best" if is_best else "shaded value"
    return html.Td(html.Span(said, className="cell", title=title), className=classes, style=shade)


def hand_offs(view: View) -> Children:
    """Work handed on to other agents: what it returns against what it takes."""
    frame = view.ask("hand_offs", limit=None)
    if not len(frame):
        return [nothing("No work was handed on to other agents, or their spans do not name agents (gen_ai.agent.name).")]
    columns = (
        Column("task_class", "Task class", width=140, grow=1),
        Column("tenant", "Tenant", width=90),
        Column("hand_offs", "Handed on", "count", 100),
        Column("value_usd", "Brings, USD a day", "usd", 135, tooltip="V·ΔQ of handing on against working alone"),
        Column("takes_usd", "Takes, USD a day", "usd", 135, tooltip="ΔC + λ·ΔL + ρ·ΔR of handing on against working alone"),
        Column("loses", "Loses a day (95 %)", width=190),
        Column("said", "Verdict", "sentence", 260, grow=2),
    )
    rows = [
        {
            **{name: row[name] for name in ("task_class", "tenant", "hand_offs", "value_usd")},
            "takes_usd": _sum(row["cost_usd"], row["latency_usd"], row["risk_usd"]),
            "loses": _loses(row),
            "said": str(row["sentence"]) if row["status"] == "appraised" else f"Whether it pays is not known. {row['change']}",
        }
        for row in frame
    ]
    return [table("hand_offs", columns, rows, row_key=("tenant", "task_class"))]


def _sum(*parts: object) -> float | None:
    known = [float(amount) for part in parts if (amount := formats.number(part)) is not None]
    return sum(known) if known else None


def _loses(row: Row) -> str:
    if row["usd_per_day"] is None:
        return str(row["status"]).replace("_", " ")
    if not row["usd_per_day"] and not row["high"]:
        return "nothing shown"
    return (
        f"{formats.usd_estimate(row['usd_per_day'], row['low'], row['high'])} ({formats.usd_interval(row['low'], row['high'])})"
    )


def verification(view: View) -> Children:
    """Checks that are missing, checks that never fail, and how often work is checked."""
    frame = view.ask("checks", limit=None)
    if not len(frame):
        need = "let checks be tools or calls of the use verify (docs/telemetry.md)"
        return [nothing(f"No verification was seen and none was missed: {need}.")]
    places: dict[tuple[str, str], list[Row]] = {}
    for row in frame:
        places.setdefault((known_or(cast("str | None", row["task_class"])), str(row["tenant"])), []).append(row)
    rows = sorted(
        (_class(task_class, tenant, looks) for (task_class, tenant), looks in places.items()), key=lambda row: -_size(row)
    )
    columns = (
        Column("task_class", "Task class", width=126),
        Column("tenant", "Tenant", width=84),
        Column("checks", "Checks made", "count", 110),
        Column("failed", "Failed", "count", 76),
        Column("rate", "Failed, of all", width=128, tooltip="where none failed: the share that may, at 95 %"),
        Column("missing", "Missing ones lose a day", width=176),
        Column("worthless", "Those in vain lose a day", width=180),
        Column("usual", "Checks, by share of tasks", width=330, grow=1),
    )
    silent = [row for row in rows if row["is_silent"]]
    said: list[Component] = []
    if silent:
        whole = sum(cast(int, row["checks"]) for row in silent)
        words = (
            f"Of {whole:,} checks in {formats.count(len(silent), 'class', 'classes')} not one is seen to fail: either they find"
            " nothing and could go, or their spans do not say what they found (set the status to error, or report"
            " gen_ai.evaluation.result)."
        )
        said.append(sentence([words], act=True))
    shown = [{name: value for name, value in row.items() if name not in ("is_silent", "usd")} for row in rows]
    link = dcc.Link(
        "All looks at verification", href=view.link(_only_mode(view.filters), "/findings") + "#section-looks", className="more"
    )
    return [html.Ul(said, className="sentences"), table("checks", columns, shown, row_key=("tenant", "task_class")), link]


def _only_mode(filters: Filters) -> Filters:
    return filters.without("layer").only("mode", "under_verification")


def _class(task_class: str, tenant: str, looks: list[Row]) -> Row:
    made = (
        max((int(formats.number(row["checks"]) or 0) for row in looks), default=0)
        if any(row["checks"] is not None for row in looks)
        else None
    )
    failed = max((int(formats.number(row["failed"]) or 0) for row in looks), default=0)
    missing, worthless = ([row for row in looks if bool(row["is_too_many"]) == too_many] for too_many in (False, True))
    counted = [row for row in looks if str(row["subject"]) != _SILENT]
    passes = {str(row["subject"]).removesuffix(", too many"): int(formats.number(row["n"]) or 0) for row in counted}
    total = sum(passes.values())
    is_silent = made is not None and made >= _FEW_CHECKS and failed == 0
    rate = formats.UNKNOWN
    if made is not None:
        most = f"0, at most {_RARE / made * 100:.1f}{formats.THIN_SPACE}%" if is_silent else ""
        rate = most or formats.share(failed, made)
    return {
        "task_class": task_class, "tenant": tenant, "checks": made, "failed": failed if made else None, "rate": rate,
        "missing": _dearest(missing), "worthless": _dearest(worthless), "is_silent": is_silent,
        "usual": ", ".join(f"{name} {formats.share(n, total)}" for name, n in sorted(passes.items(), key=lambda one: -one[1])),
        "usd": max((float(formats.number(row["usd_per_day"]) or 0) for row in looks), default=0.0),
    }  # fmt: skip


def _size(row: Row) -> float:
    return float(formats.number(row["usd"]) or 0) * 1e6 + float(formats.number(row["checks"]) or 0)


def _dearest(looks: list[Row]) -> str:
    """What the look that loses most says; of none that could be judged, why."""
    known = [row for row in looks if row["usd_per_day"] is not None]
    if known:
        return _loses(max(known, key=lambda row: float(formats.number(row["usd_per_day"]) or 0)))
    return str(looks[0]["status"]).replace("_", " ") if looks else "none possible"
