"""How many tokens a request uses: sizes drawn from a seed, and a prompt cache that really remembers.

The examples' prompts are far shorter than a working agent's (no repository map, no long tool manuals), and
would never reach the 1,024 tokens from which providers cache. So each part of a prompt weighs its own text
plus a draw that depends on the seed and the text alone. The cache is then no dice: a prefix is read from
it when, and only when, an earlier request of the same model wrote it.
"""

import hashlib
from dataclasses import dataclass

from .catalog import Model
from .conversation import CacheTtl, Conversation, Message, Turn
from .usage import Usage

CACHEABLE_TOKENS_MIN = 1_024
OPENAI_CACHE_STEP_TOKENS = 128
REASONING_STEP_TOKENS = 64
BYTES_PER_TOKEN = 4

# (low, high) of the draw that is added to the text's own tokens.
PREAMBLE_DRAW = (1_300, 4_200)
MESSAGE_DRAW = {"user": (20, 160), "assistant": (15, 90), "tool": (120, 900)}
OUTPUT_DRAW = (12, 240)
REASONING_STEPS_DRAW = (1, 14)


@dataclass(frozen=True)
class Prefix:
    """The prompt up to and with one of its parts: what names it, its size, and a client's cache mark."""

    key: str
    tokens: int
    ttl: CacheTtl | None


class Meter:
    """Measures requests in the order they come; the only state is which prefixes the cache holds.

    Entries do not expire: a server of this kind lives for minutes, and a clock would make runs differ.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cached: set[str] = set()

    def measure(self, conversation: Conversation, turn: Turn, model: Model) -> Usage:
        """The leaves of one response, and the prompt's entry into the cache.

        A limit on output cuts reasoning and text alike, as it does with the vendors.
        """
        prefixes = self._prefixes(conversation, model)
        reasoning = self._reasoning_tokens(conversation, model, prefixes[-1].key)
        output = text_tokens(turn.said) + self.draw(OUTPUT_DRAW, "output", prefixes[-1].key)
        if conversation.output_tokens_max is not None:
            reasoning = min(reasoning, conversation.output_tokens_max)
            output = min(output, conversation.output_tokens_max - reasoning)
        if model.vendor == "anthropic":
            return self._anthropic_input(prefixes, output, reasoning)
        return self._openai_input(prefixes, output, reasoning, is_write_billed=model.price.cache_write_5m is not None)

    def prompt_tokens(self, conversation: Conversation, model: Model) -> int:
        """The size of the whole prompt, without touching the cache."""
        return self._prefixes(conversation, model)[-1].tokens

    def draw(self, bounds: tuple[int, int], *parts: str) -> int:
        """A whole number within bounds (both included) that depends on the seed and the parts alone."""
        low, high = bounds
        digest = hashlib.sha256("\x1f".join((str(self._seed), *parts)).encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)

    def _prefixes(self, conversation: Conversation, model: Model) -> list[Prefix]:
        opening = "\x1f".join((conversation.preamble, *(f"{tool.name}{dict(tool.schema)!r}" for tool in conversation.tools)))
        key = _digest(model.name, opening)
        tokens = text_tokens(opening) + self.draw(PREAMBLE_DRAW, "preamble", opening)
        prefixes = [Prefix(key, tokens, conversation.preamble_ttl)]
        for message in conversation.messages:
            content = _content(message)
            key = _digest(key, content)
            tokens += text_tokens(content) + self.draw(MESSAGE_DRAW[message.role], content)
            prefixes.append(Prefix(key, tokens, message.cache_ttl))
        return prefixes

    def _reasoning_tokens(self, conversation: Conversation, model: Model, key: str) -> int:
        if not (model.can_reason and conversation.may_reason):
            return 0
        return REASONING_STEP_TOKENS * self.draw(REASONING_STEPS_DRAW, "reasoning", key)

    def _openai_input(self, prefixes: list[Prefix], output: int, reasoning: int, *, is_write_billed: bool) -> Usage:
        """OpenAI caches every prompt by itself, in steps of 128 tokens."""
        known = max((prefix.tokens for prefix in prefixes if prefix.key in self._cached), default=0)
        read = _cacheable(known) // OPENAI_CACHE_STEP_TOKENS * OPENAI_CACHE_STEP_TOKENS
        total = prefixes[-1].tokens
        held = _cacheable(total) // OPENAI_CACHE_STEP_TOKENS * OPENAI_CACHE_STEP_TOKENS
        write = max(held - read, 0) if is_write_billed else 0
        self._cached.update(prefix.key for prefix in prefixes)
        return Usage(
            fresh=total - read - write,
            cache_read=read,
            cache_write_5m=write,
            output=output,
            reasoning=reasoning,
        )

    def _anthropic_input(self, prefixes: list[Prefix], output: int, reasoning: int) -> Usage:
        """Anthropic caches up to the marks the client set, each with its own time to live."""
        marks = [prefix for prefix in prefixes if prefix.ttl and prefix.tokens >= CACHEABLE_TOKENS_MIN]
        last_mark_tokens = marks[-1].tokens if marks else 0
        read = max(
            (prefix.tokens for prefix in prefixes if prefix.tokens <= last_mark_tokens and prefix.key in self._cached),
            default=0,
        )
        written = {"5m": 0, "1h": 0}
        reached = read
        for mark in marks:
            if mark.ttl and mark.tokens > reached:
                written[mark.ttl] += mark.tokens - reached
                reached = mark.tokens
            self._cached.add(mark.key)
        return Usage(
            fresh=prefixes[-1].tokens - reached,
            cache_read=read,
            cache_write_5m=written["5m"],
            cache_write_1h=written["1h"],
            output=output,
            reasoning=reasoning,
        )


def text_tokens(text: str) -> int:
    """The usual rule of thumb: a token for every four bytes, rounded up."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _cacheable(tokens: int) -> int:
    return tokens if tokens >= CACHEABLE_TOKENS_MIN else 0


def _content(message: Message) -> str:
    calls = "".join(f"{call.call_id}{call.name}{call.arguments}" for call in message.calls)
    return "\x1f".join((message.role, message.text, calls, *message.answers))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
