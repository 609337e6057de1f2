"""What the collector can be told. Only `cli/` and `collector/__main__.py` read these from outside."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ledger.tenants import DEFAULT_TENANT

MIB = 1024 * 1024


class CollectorSettings(msgspec.Struct, frozen=True):
    """Addresses, limits and policies of one collector process."""

    dsn: str
    host: str = "127.0.0.1"
    http_port: int = 4318
    grpc_port: int = 4317
    slot: int = 0
    """Which rows of the balances this writer adds to; concurrent writers should differ."""
    body_limit_bytes: int = 32 * MIB
    """Largest request as sent."""
    decoded_limit_bytes: int = 64 * MIB
    """Largest request after decompression."""
    queue_limit_bytes: int = 48 * MIB
    """Requests waiting for their commit; beyond this the answer is 503 with Retry-After."""
    group_limit_records: int = 6000
    """Records posted in one transaction, about."""
    workers: int | None = None
    """Processes that read exports while many come in; None: one per processor, four at most; 0: none."""
    default_tenant: str = DEFAULT_TENANT
    spool: Path | None = None
    """Folder where acknowledged exports are kept while the database is away or slow; None: they are refused then."""
    spool_limit_bytes: int = 1024 * MIB
    """How large the spool may grow; beyond this the answer is 503 with Retry-After."""
    keep_content: bool = False
    redact: bool = False
    """Whether prompt and completion text is stored."""
