"""Secrets, read where a channel says when they are needed, and kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ledger.channels import is_reference


class SecretAbsent(Exception):
    """A secret is not where the channel says."""


def reveal(text: str, environment: Mapping[str, str]) -> str:
    """What `env:NAME` or `file:/path` stands for, without the line's end; any other text as it is. Raises SecretAbsent."""
    if not is_reference(text):
        return text
    kind, _, place = text.partition(":")
    if kind == "env":
        found = environment.get(place, "")
    else:
        try:
            found = Path(place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SecretAbsent(f"the secret's file {place} cannot be read: {why}") from error
    if not found.strip():
        raise SecretAbsent(f"{f'the environment has no {place}' if kind == 'env' else f'the file {place} is empty'}")
    return found.rstrip("\r\n")
