"""The ledger of sales: one row for every response that was sold, and none for what was refused or cut off."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from .catalog import Model
from .usage import Json, Usage, cost_usd


@dataclass(frozen=True)
class Sale:
    """One sold response. `response_id` is None for embeddings, whose responses carry no id."""

    request_id: str
    response_id: str | None
    api: str
    model: Model
    usage: Usage
    is_streamed: bool

    @property
    def cost_usd(self) -> Decimal:
        """The exact price of this response."""
        return cost_usd(self.usage, self.model.price)

    def as_json(self) -> Json:
        """The row as served: token columns are disjoint, the cost is text so that no digit is lost."""
        return {
            "request_id": self.request_id,
            "response_id": self.response_id,
            "provider": self.model.vendor,
            "model": self.model.name,
            "response_model": self.model.snapshot,
            "api": self.api,
            "is_streamed": self.is_streamed,
            "input_tokens": self.usage.fresh,
            "cache_read_tokens": self.usage.cache_read,
            "cache_write_5m_tokens": self.usage.cache_write_5m,
            "cache_write_1h_tokens": self.usage.cache_write_1h,
            "output_tokens": self.usage.output,
            "reasoning_tokens": self.usage.reasoning,
            "cost_usd": f"{self.cost_usd:.12f}",
        }


class SalesLedger:
    """Sales in the order they were made, kept in memory and, if a path is given, appended to a JSONL file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._sales: list[Sale] = []

    @property
    def sales(self) -> tuple[Sale, ...]:
        """All sales, oldest first."""
        return tuple(self._sales)

    def record(self, sale: Sale) -> None:
        """Add a sale; a file is written at once, so that it survives the server."""
        self._sales.append(sale)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(sale.as_json()) + "\n")
