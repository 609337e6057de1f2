"""Errors in the two vendors' shapes, and the strict reading of requests that raises them."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from .usage import Json

OPENAI_TYPES = {429: "requests", 500: "server_error", 529: "server_error"}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """A refused request: HTTP status, message, the parameter at fault and when to try again, if known."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_ms = retry_after_ms

    def openai_body(self) -> Json:
        """The body OpenAI answers with."""
        kind = OPENAI_TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def anthropic_body(self, request_id: str) -> Json:
        """The body Anthropic answers with."""
        message = f"{self.param}: {self.message}" if self.param else self.message
        kind = ANTHROPIC_TYPES.get(self.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


class Wire(BaseModel):
    """A part of a request whose every field is known: one unknown field refuses the request."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OpenWire(BaseModel):
    """A request whose further fields are allowed when they are among its API's accepted parameters."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


WireT = TypeVar("WireT", bound=OpenWire)


def read_request(shape: type[WireT], body: bytes, accepted_params: frozenset[str]) -> WireT:
    """Read a request body strictly.

    Raises: ApiError 400 naming the first field that is wrong, missing or unknown.
    """
    try:
        request = shape.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        # The branch a union took is pydantic's affair, not a field of the request.
        path = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or _is_field(part))
        raise ApiError(400, first["msg"], param=path or None, code="invalid_value") from error
    unknown = sorted(set(request.model_extra or ()) - accepted_params)
    if unknown:
        raise ApiError(400, f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
    return request


def _is_field(part: str) -> bool:
    return part.islower() and part.isidentifier() and part not in ("str", "int")
