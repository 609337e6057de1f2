"""Colours and type. A colour means a term of the trade-off everywhere: value, compute, latency or risk.

They are the same in dark and light. The four hues and the accent keep apart under the common forms of colour
blindness (they are spaced as Okabe and Ito advise). Members of one group are told apart by lightness, order and place, never
by further hues.
"""

VALUE = "#0f9d76"
COMPUTE = "#2b7cc0"
LATENCY = "#d08a00"
RISK = "#cf5a1c"
ACCENT = "#cf4f8b"  # what should be acted upon, and nothing else
UNKNOWN = "#8b94a0"  # no evidence, not attributed, not priced

FONT = "Inter, -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace"


# Shades of one group, from dearest to cheapest; beyond these, everything else is grey. Hatching is kept for waste.
SERIES = ("#1f66a6", "#4a97d8", "#85bdea", "#b9daf4")
OTHERS = UNKNOWN
UNATTRIBUTED = "#b9bfc7"

# The kinds of tokens do not overlap. Input and output stand in rows of their own, so three shades tell them apart.
INPUT_KINDS = {
    "input_tokens": ("Fresh", SERIES[0]),
    "cache_write_tokens": ("Written to cache", SERIES[1]),
    "cache_read_tokens": ("Read from cache", SERIES[3]),
}
OUTPUT_KINDS = {
    "output_tokens": ("Plain", SERIES[0]),
    "reasoning_tokens": ("Reasoning", SERIES[2]),
}

_COMPUTE_SHADES = [
    "#eef5fb", "#dbe9f6", "#b9daf4", "#85bdea", "#4a97d8", "#3a8acb", "#2b7cc0", "#236ba8", "#1f66a6", "#164a7c",
]  # fmt: skip

# From text down to the deepest background; Mantine takes its dark surfaces from these.
_DARK_SHADES = [
    "#e5e8eb", "#c3c9d0", "#98a2ae", "#6b7683", "#3d4650", "#2b3138", "#1e2329", "#14171b", "#101316", "#0c0e11",
]  # fmt: skip

MANTINE: dict[str, object] = {
    "fontFamily": FONT,
    "fontFamilyMonospace": MONOSPACE,
    "primaryColor": "compute",
    "colors": {"compute": _COMPUTE_SHADES, "dark": _DARK_SHADES},
    "defaultRadius": "sm",
    "cursorType": "pointer",
    "fontSizes": {"xs": "12px", "sm": "13.5px", "md": "15px", "lg": "18px", "xl": "22px"},
}
