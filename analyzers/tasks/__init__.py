"""Tasks: traces that are settled, with their class, value, outcome, cost, latency and risk, and their entries in the shadow book.

`settle` is the line: look for what came, read outcomes from it, judge the traces that are due, book them. What is decided is
decided by pure functions (`outcomes`, `prices`, `classes`, `judge`); the rest is SQL over batches. docs/tasks.md tells the rules.
"""

from analyzers.tasks.settlement import Settled, settle

__all__ = ["Settled", "settle"]
