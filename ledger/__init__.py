"""The books: chart of accounts, rates, entries and transfers, balances, statements and the SQL contract."""
