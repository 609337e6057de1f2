"""The pages: what was spent, where, on which token, and how far to trust it. Reads views of the SQL contract only."""
