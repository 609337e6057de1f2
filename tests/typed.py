"""What a command does as it is typed: its exit code, its output and its errors."""

from __future__ import annotations

from collections.abc import Callable

Typed = Callable[..., tuple[int, str, str]]
