"""The flow of dollars: from whose budget, through layers, uses and classes of tasks, to how these went."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from dashboard import formats, theme
from dashboard.figures.paper import Figure, label_of, paper
from dashboard.frame import Frame

_COLUMNS = ("tenant", "layer", "use", "task_class")
END = len(_COLUMNS)
_MOST = {"tenant": 6, "use": 8, "task_class": 9}
HEIGHT_PX = 400
ENDS = {  # of the dollars spent
    "well_usd": ("went well", theme.VALUE),
    "wrong_usd": ("went wrong", theme.ACCENT),
    "unknown_usd": ("outcome not known", theme.UNKNOWN),
    "unsettled_usd": ("not settled yet", theme.UNATTRIBUTED),
}
EXTERNAL = "unpaid delays"
"""What nobody was billed: it is no part of the dollars spent, and leaves the classes of tasks beside them."""
_LAYERS = ("demand", "action", "supply", "capital")
OTHERS = "others"
NOT_ATTRIBUTED = "not attributed"

Node = tuple[int, str]  # column and name


@dataclass(frozen=True, slots=True)
class Flow:
    """Dollars between neighbouring columns, and the dollars of each node."""

    links: dict[tuple[Node, Node], float]
    nodes: dict[Node, float]


def flow_of(spent: Frame, outcomes: Frame, external: Frame | None = None) -> Flow:
    """The flow of `flow` to the ends of `flow_outcomes`: tenants, layers, uses, classes of tasks, and how these went.

    The dollars of a tenant's class are split as its tasks went. Small tenants, uses and classes are put together. `external`:
    what classes cost others, beside what was spent on them.
    """
    kept = {column: _largest(spent, column, most) for column, most in _MOST.items()}
    went = {(row["tenant"], row["task_class"]): {end: _float(row[end]) for end in list(ENDS)[:3]} for row in outcomes}
    whole: dict[tuple[object, object], float] = defaultdict(float)
    for row in spent:
        whole[row["tenant"], row["task_class"]] += _float(row["cost_usd"])
    links: dict[tuple[Node, Node], float] = defaultdict(float)
    nodes: dict[Node, float] = defaultdict(float)
    for row in spent:
        usd, group = _float(row["cost_usd"]), (row["tenant"], row["task_class"])
        path: list[Node] = [(place, _name(row[column], kept.get(column))) for place, column in enumerate(_COLUMNS)]
        for before, after in pairwise(path):
            links[before, after] += usd
        for node in path:
            nodes[node] += usd
        for end, share in _shares(went.get(group, {}), whole[group]).items():
            links[path[-1], (END, end)] += share * usd
            nodes[END, end] += share * usd
    for row in external or ():
        node, usd = (END - 1, _name(row["task_class"], kept["task_class"])), _float(row["usd"])
        if usd > 0 and node in nodes:  # what is not shown cannot be left
            links[node, (END, EXTERNAL)] += usd
            nodes[END, EXTERNAL] += usd
    return Flow(dict(links), dict(nodes))


def _name(value: object, kept: set[str] | None) -> str:
    if value is None:
        return NOT_ATTRIBUTED
    return str(value) if kept is None or str(value) in kept else OTHERS


def _shares(went: dict[str, float], whole_usd: float) -> dict[str, float]:
    """How a class's dollars end, as shares by the end's name; what no settled task took is not settled yet."""
    settled = sum(went.values())
    known = {**went, "unsettled_usd": max(whole_usd - settled, 0.0)}
    total = sum(known.values()) or 1.0
    return {ENDS[end][0]: usd / total for end, usd in known.items() if usd > 0}


def sankey(flow: Flow, key: str, budgets: dict[str, str] | None = None) -> Figure:
    """The picture. `budgets` says of a tenant what its budget is, for the pointer."""
    order = sorted(flow.nodes, key=lambda node: (node[0], _place(node), -flow.nodes[node], node[1]))
    index = {node: place for place, node in enumerate(order)}
    whole = sum(usd for (column, _), usd in flow.nodes.items() if column == 0) or 1.0
    layout = paper(key)
    layout["margin"] = {"l": 4, "r": 4, "t": 8, "b": 8}
    links = sorted(flow.links, key=lambda link: (index[link[0]], index[link[1]]))
    return {
        "data": [
            {
                "type": "sankey",
                "arrangement": "snap",
                "valueformat": "$,.2f",
                "node": {
                    "label": [_label(node, flow.nodes[node]) for node in order],
                    "color": [_color(node) for node in order],
                    "pad": 16,
                    "thickness": 12,
                    "line": {"width": 0},
                    "customdata": [_said(node, flow.nodes[node], whole, budgets or {}) for node in order],
                    "hovertemplate": "%{customdata}<extra></extra>",
                },
                "link": {
                    "source": [index[before] for before, _ in links],
                    "target": [index[after] for _, after in links],
                    "value": [flow.links[link] for link in links],
                    "color": [_pale(_color(after) if after[0] == END else _color(before)) for before, after in links],
                    "customdata": [
                        f"{label_of(before[1], 60)} → {label_of(after[1], 60)}<br>{_usd_share(flow.links[before, after], whole)}"
                        for before, after in links
                    ],
                    "hovertemplate": "%{customdata}<extra></extra>",
                },
                "textfont": {"size": 12},
            }
        ],
        "layout": layout,
    }


def _largest(frame: Frame, column: str, most: int) -> set[str]:
    sums: dict[str, float] = defaultdict(float)
    for row in frame:
        if row[column] is not None:
            sums[str(row[column])] += _float(row["cost_usd"])
    return set(sorted(sums, key=lambda name: (-sums[name], name))[:most])


def _place(node: Node) -> int:
    """Layers and ends stand in an order of their own; what is put together or not known comes last."""
    column, name = node
    if column == END:
        return [*(end for end, _ in ENDS.values()), EXTERNAL].index(name)
    if column == 1 and name in _LAYERS:
        return 0
    return 1 if name in (OTHERS, NOT_ATTRIBUTED) else 0


def _color(node: Node) -> str:
    column, name = node
    if column == END:
        return theme.LATENCY if name == EXTERNAL else next(color for end, color in ENDS.values() if end == name)
    return theme.UNKNOWN if name in (OTHERS, NOT_ATTRIBUTED) else theme.COMPUTE


def _label(node: Node, usd: float) -> str:
    """Name and dollars; of classes the name only, since the labels of the ends stand before them."""
    name = label_of(node[1], 24)
    return name if node[0] == END - 1 else f"{name} {formats.usd(round(usd, 2))}"


def _pale(color: str) -> str:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.28)"


def _said(node: Node, usd: float, whole: float, budgets: dict[str, str]) -> str:
    said = f"<b>{label_of(node[1], 60)}</b><br>{_usd_share(usd, whole)}"
    return f"{said}<br>{label_of(budgets[node[1]], 140)}" if node[0] == 0 and node[1] in budgets else said


def _usd_share(usd: float, whole: float) -> str:
    return f"{formats.usd(round(usd, 4))}, {formats.share(usd, whole)}"


def _float(value: object) -> float:
    return float(formats.number(value) or 0)
