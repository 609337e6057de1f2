"""Which emitter wrote a record, and what the record means in its dialect. Pure functions over one record.

The instrumentation scope decides first, then a log's name; other records of an unknown scope are told by their keys, from
the most particular dialect to the most general. A record of no dialect is plain.
"""

from __future__ import annotations

from collector.dialects.registry import dialect_of, dialects, read

__all__ = ["dialect_of", "dialects", "read"]
