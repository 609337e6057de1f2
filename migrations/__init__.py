"""The database's shape, as Alembic migrations over plain SQL files."""
