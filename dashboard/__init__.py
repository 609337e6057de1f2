"""The page: reads views of the SQL contract only."""
