"""What the equations refuse; each error says what, where and how to mend it."""


class AllocationError(ValueError):
    """A problem that cannot be as it is told. `mend` is what the person reading it can do."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message}; {mend}" if mend else message)
        self.message = message
        self.mend = mend


class Infeasible(AllocationError):
    """No allocation keeps all constraints; the message says which cannot be kept, and the least that can be had.

    `names` are those that cannot be kept alone; empty when each could be, but not together.
    """

    def __init__(self, message: str, mend: str = "", names: tuple[str, ...] = ()) -> None:
        super().__init__(message, mend)
        self.names = names
