"""Named SQL: each statement stands in a file under `sql/`, found by its name.

A file holds one or more statements, each headed by `-- name: the_name`; the lines of comment after it say what it is for.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString, cast

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(package: str, file: str) -> dict[str, LiteralString]:
    """All named statements of `<package>/sql/<file>.sql`. Raises KeyError on a name that stands twice."""
    text = resources.files(package).joinpath(f"sql/{file}.sql").read_text()
    parts = _HEAD.split(text)[1:]
    named: dict[str, LiteralString] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in named:
            raise KeyError(f"{package}/sql/{file}.sql names {name} twice")
        named[name] = cast(LiteralString, body.strip().removesuffix(";"))
    return named
