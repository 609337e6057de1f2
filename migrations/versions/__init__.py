"""One module per migration; the SQL stands beside it."""
