"""What the equations refuse; each error says what, where and how to mend it."""

from collections.abc import Mapping


class AllocationError(ValueError):
    """A problem that cannot be as it is told. `mend` is what the person reading it can do."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message}; {mend}" if mend else message)
        self.message = message
        self.mend = mend


class Infeasible(AllocationError):
    """No allocation keeps all constraints; the message says which cannot be kept, and the least that can be had.

    `alone` are those that cannot be kept alone, by name with what is said of each; empty when each could be, but not together.
    """

    def __init__(self, message: str, mend: str = "", alone: Mapping[str, str] | None = None) -> None:
        super().__init__(message, mend)
        self.alone = dict(alone or {})
