"""Tables: calm, dense enough, numbers to the right, every column with its unit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import dash_ag_grid as dag

from dashboard import formats

Kind: TypeAlias = Literal[
    "text", "usd", "tokens", "duration", "count", "quantity", "share", "time", "status", "link", "decision", "alert", "finding",
    "rule", "channel", "code", "severity", "sentence", "spark", "account", "entry",
]  # fmt: skip
Opens: TypeAlias = Literal["trace", "decision", "alert", "finding", "rule", "channel", "account", "entry"]
_WRAPPED = ("sentence", "code")
_NUMBERS = ("usd", "tokens", "duration", "count", "quantity")
_ROW_PX, _HEAD_PX = 36, 40
ROWS_IN_SIGHT = 14
_CELLS: dict[Kind, dict[str, object]] = {  # cells that are more than text, and what else their columns are
    "status": {},
    "link": {"sortingOrder": ["desc", "asc"]},  # links stand on times: the newest first
    "decision": {"sortingOrder": ["desc", "asc"]},
    "alert": {"sortingOrder": ["desc", "asc"]},
    "finding": {"sortingOrder": ["desc", "asc"]},
    "rule": {},
    "channel": {},
    "account": {"tooltipField": "account"},
    "entry": {"sortingOrder": ["desc", "asc"]},
    "severity": {},
    "spark": {},
    "sentence": {"wrapText": True, "autoHeight": True, "cellClass": "wrapped"},
    "code": {"wrapText": True, "autoHeight": True, "cellClass": "wrapped"},
}

_THEME = {
    "function": "themeQuartz.withParams({"
    "backgroundColor: 'transparent', foregroundColor: 'var(--ink)', headerTextColor: 'var(--ink-dim)', headerFontWeight: 500,"
    "headerBackgroundColor: 'var(--paper)', borderColor: 'var(--line)', rowHoverColor: 'var(--wash)',"
    "accentColor: 'var(--compute)',"
    "selectedRowBackgroundColor: 'var(--wash)', wrapperBorder: false, headerColumnBorder: false, columnBorder: false,"
    "fontFamily: 'inherit', fontSize: 13, headerFontSize: 12, cellHorizontalPadding: 10, rowVerticalPaddingScale: 0.9,"
    "wrapperBorderRadius: 0})"
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the query's name for it, its heading with the unit, how it reads, and how wide it wants to be."""

    field: str
    heading: str
    kind: Kind = "text"
    width: int | None = None
    grow: int = 0
    sortable: bool = True
    tooltip: str = ""
    pinned: bool = False


def table(
    name: str,
    columns: Sequence[Column],
    rows: Iterable[dict[str, object]],
    *,
    row_key: Sequence[str],
    height_px: int | None = None,
    options: dict[str, object] | None = None,
    opens: Opens | None = None,
    sorted_by: str | None = None,
    total: dict[str, object] | None = None,
    scroll_to: int | None = None,
) -> dag.AgGrid:
    """A grid of rows. `row_key` names the columns that tell rows apart, so that new data slides in without moving what is read.
    A click on a row goes to what it `opens`; `total` stays at the bottom, the row at `scroll_to` is brought into sight.
    """
    data = [{key: plain(value) for key, value in row.items()} for row in rows]
    tall = len(data) > ROWS_IN_SIGHT or height_px is not None
    key = " + '|' + ".join(f"params.data.{field}" for field in row_key)
    return dag.AgGrid(
        id={"type": "grid", "name": name},
        columnDefs=[_definition(column, sorted_by) for column in columns],
        rowData=data,
        getRowId=f"'' + {key}",
        columnSize=None,
        defaultColDef={"resizable": True, "suppressMovable": True, "sortable": True, "suppressHeaderMenuButton": True},
        dashGridOptions={
            "theme": _THEME,
            "rowHeight": _ROW_PX,
            "headerHeight": _HEAD_PX,
            "animateRows": False,
            "suppressCellFocus": False,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "tooltipShowDelay": 300,
            "domLayout": "normal" if tall else "autoHeight",
            "pinnedBottomRowData": [
                {column.field: "" for column in columns} | {key: plain(value) for key, value in total.items()}
            ]
            if total
            else [],
            **(options or {}),
        },
        style={"height": height_px or _HEAD_PX + _ROW_PX * ROWS_IN_SIGHT + 2, "width": "100%"}
        if tall
        else {"width": "100%", "height": None},
        eventListeners={
            **({"rowClicked": [f"open{opens.capitalize()}(params)"]} if opens else {}),
            **({"gridSizeChanged": ["narrowed(params)"]} if any(column.kind in _WRAPPED for column in columns) else {}),
        },
        className="opens" if opens else "",
        dangerously_allow_code=False,
        scrollTo=None if scroll_to is None else {"rowIndex": scroll_to, "rowPosition": "middle"},
    )


def plain(value: object) -> object:
    """A database value as JSON and the grid take it: exact decimals become the nearest float, times ISO text in UTC."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)
    if isinstance(value, datetime):
        return formats.moment(value)
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def _definition(column: Column, sorted_by: str | None) -> dict[str, object]:
    definition: dict[str, object] = {"field": column.field, "headerName": column.heading, "sortable": column.sortable}
    if column.kind in _NUMBERS:
        definition |= {
            "type": "rightAligned",
            "cellClass": "number",
            "valueFormatter": {"function": f"{column.kind}(params.value)"},
        }
        definition["sortingOrder"] = ["desc", "asc"]
        if column.kind in ("usd", "tokens", "quantity"):
            definition["tooltipValueGetter"] = {"function": "exact(params)"}
    elif column.kind in _CELLS:
        definition |= {"cellRenderer": column.kind.capitalize() + "Cell", **_CELLS[column.kind]}
    elif column.kind == "share":
        definition |= {"type": "rightAligned", "cellClass": "number", "sortable": False}
    elif column.kind == "time":
        definition |= {"sortingOrder": ["desc", "asc"], "valueFormatter": {"function": "said(params.value)"}}
    else:
        definition |= {"valueFormatter": {"function": "said(params.value)"}, "tooltipField": column.field}
    if column.width:
        definition["width"] = column.width
        definition["minWidth"] = min(column.width, 80)
    if column.grow:
        definition |= {"flex": column.grow, "minWidth": column.width or 120}
    if column.tooltip:
        definition["headerTooltip"] = column.tooltip
    if column.pinned:
        definition["pinned"] = "left"
    if sorted_by and sorted_by.removeprefix("-") == column.field:
        definition["sort"] = "desc" if sorted_by.startswith("-") else "asc"
    return definition
