"""What can go wrong with the books; each error says what, where and how to mend it."""


class LedgerError(Exception):
    """Base of all errors of the books. `mend` is what the person reading it can do, `field` what of a statement it is about."""

    def __init__(self, message: str, mend: str = "", field: str | None = None) -> None:
        super().__init__(f"{message}{'' if message.endswith('?') else ';'} {mend}" if mend else message)
        self.message = message
        self.mend = mend
        self.field = field


class DatabaseUnavailable(LedgerError):
    """The database does not answer."""


class SchemaTooNew(LedgerError):
    """The database was migrated by a later version of Pigou."""


class UnknownTenant(LedgerError):
    """No tenant of that name has any books."""


class PeriodError(LedgerError):
    """A period cannot be closed as asked."""


class BudgetError(LedgerError):
    """A budget, or a hold of one, cannot be as asked."""


class RetentionError(LedgerError):
    """Raw rows cannot be kept as asked."""


class PriceError(LedgerError):
    """A price or a constraint on prices cannot be as asked."""


class CredentialError(LedgerError):
    """A credential cannot be made or revoked as asked."""
