"""OpenAI's /v1/embeddings: vectors that mean nothing, drawn from the seed, and usage that is sold."""

import base64
import struct
from dataclasses import dataclass
from typing import Literal

from .catalog import Model
from .errors import ApiError, OpenWire, read_request
from .meter import Meter, text_tokens
from .usage import Json, Usage

API = "embeddings"
ACCEPTED_PARAMS = frozenset({"user"})
DIMENSIONS_DEFAULT = 1_536
DIMENSIONS_MAX = 3_072
INPUTS_MAX = 2_048


class EmbeddingRequest(OpenWire):
    """The request, as far as it matters here."""

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    dimensions: int = DIMENSIONS_DEFAULT
    encoding_format: Literal["float", "base64"] = "float"


@dataclass(frozen=True)
class EmbeddingOrder:
    """A request that was read: `sizes` holds the tokens of each input, `texts` what names it in a draw."""

    model_name: str
    texts: tuple[str, ...]
    sizes: tuple[int, ...]
    dimensions: int
    is_base64: bool

    @property
    def usage(self) -> Usage:
        """Every token of an input is a fresh one: embeddings know no cache."""
        return Usage(fresh=sum(self.sizes))


def read(body: bytes) -> EmbeddingOrder:
    """Read a request; inputs are texts or token ids.

    Raises: ApiError 400 when it is not one this API takes.
    """
    request = read_request(EmbeddingRequest, body, ACCEPTED_PARAMS)
    if not 1 <= request.dimensions <= DIMENSIONS_MAX:
        raise ApiError(400, f"Invalid value for 'dimensions' = {request.dimensions}.", param="dimensions")
    given = request.input
    inputs: list[str | list[int]] = []
    if isinstance(given, str):
        inputs = [given]
    else:
        token_ids = [part for part in given if isinstance(part, int)]
        inputs = [token_ids] if token_ids else [part for part in given if not isinstance(part, int)]
    if not inputs or len(inputs) > INPUTS_MAX or not all(inputs):
        raise ApiError(400, "'$.input' is invalid: it must hold 1 to 2048 inputs that are not empty.", param="input")
    return EmbeddingOrder(
        model_name=request.model,
        texts=tuple(str(part) for part in inputs),
        sizes=tuple(text_tokens(part) if isinstance(part, str) else len(part) for part in inputs),
        dimensions=request.dimensions,
        is_base64=request.encoding_format == "base64",
    )


def check_sizes(order: EmbeddingOrder, model: Model) -> None:
    """Refuse inputs beyond the model's context. Raises: ApiError 400."""
    if max(order.sizes) > model.prompt_tokens_max:
        raise ApiError(400, f"an input exceeds {model.prompt_tokens_max} tokens", param="input")


def render(order: EmbeddingOrder, model: Model, meter: Meter) -> Json:
    """The whole response; each vector has length 1, as the vendor's have."""
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encode(_vector(text, order, meter), order.is_base64),
        }
        for index, text in enumerate(order.texts)
    ]
    tokens = order.usage.fresh
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model.snapshot, "usage": usage}


def _vector(text: str, order: EmbeddingOrder, meter: Meter) -> list[float]:
    draws = [meter.draw((-1_000, 1_000), "embedding", text, str(at)) for at in range(order.dimensions)]
    norm = sum(draw * draw for draw in draws) ** 0.5 or 1.0
    return [draw / norm for draw in draws]


def _encode(vector: list[float], is_base64: bool) -> list[float] | str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if is_base64 else vector
