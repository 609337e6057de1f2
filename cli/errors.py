"""The failures a person at the terminal can mend."""

from __future__ import annotations


class CommandError(Exception):
    """One line for the terminal: what is wrong and what mends it; the command ends with `exit_code`.

    Exit codes: 1 the command could not do its work (or found something wrong), 2 it was called wrongly.
    """

    def __init__(self, message: str, mend: str = "", *, exit_code: int = 1) -> None:
        super().__init__(f"{message}{'' if message.endswith('?') else ';'} {mend}" if mend else message)
        self.message = message
        self.mend = mend
        self.exit_code = exit_code
