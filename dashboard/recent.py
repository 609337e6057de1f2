"""Answers that several readers share: who asks what others have just asked gets what they got.

A reader alone always gets the books as they are. Only where the same is asked several times within seconds is it answered once,
so that what a crowd costs depends on what it looks at and not on how many they are.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar, cast

MANY = 3  # as many asked the same within `fresh_s`, the one who asks now among them
KEPT_MAX = 1000
KEPT_S = 60.0

Value = TypeVar("Value")


@dataclass(slots=True)
class _Answer:
    """An answer, or the wait for it."""

    began: float
    ready: threading.Event = field(default_factory=threading.Event)
    value: object = None
    error: BaseException | None = None


class _Versioned(NamedTuple):
    at: float
    version: Hashable
    value: object


class Recent:
    """Keeps answers for `fresh_s` seconds from when they were asked for; 0 keeps none. Safe to share between threads."""

    def __init__(self, fresh_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_s = fresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[Hashable, _Answer] = {}
        self._kept: dict[Hashable, _Versioned] = {}
        self._asked: dict[Hashable, deque[float]] = {}

    def share(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What `make` answers, or answered another who asked for the same `key` within `fresh_s`. Raises what it raises."""
        if not self._fresh_s:
            return make()
        now = self._clock()
        with self._lock:
            held = self._answers.get(key) if self._is_asked_by_many(key, now) else None
            if held is None:
                own = self._answers[key] = _Answer(now)
        if held is not None:
            held.ready.wait()
            if held.error is None:
                return cast(Value, held.value)
            raise held.error
        return self._made(key, own, make)  # pyright: ignore[reportPossiblyUnboundVariable] - there is one or the other

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self._fresh_s > 0

    def keep(self, key: Hashable, version: Hashable, make: Callable[[], Value]) -> Value:
        """What `make` answered for this `key` at the same `version`, at most a minute ago, else what it answers."""
        since = self._clock() - KEPT_S
        with self._lock:
            held = self._kept.get(key)
        if held is not None and held.version == version and held.at > since:
            return cast(Value, held.value)
        made = _Versioned(self._clock(), version, make())
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > KEPT_MAX:
                self._kept = {
                    each: answer for each, answer in self._kept.items() if answer.at > since and answer.version == version
                }
        return cast(Value, made.value)

    def forget(self) -> None:
        """Keep nothing of what was answered so far, or is being answered: something was done that must be seen."""
        with self._lock:
            self._answers.clear()
            self._kept.clear()

    def _is_asked_by_many(self, key: Hashable, now: float) -> bool:
        """Whether this may be answered by a kept answer. What is too old to count is dropped. The lock is held."""
        since = now - self._fresh_s
        times = self._asked.setdefault(key, deque())
        times.append(now)
        while times[0] <= since:
            times.popleft()
        if (held := self._answers.get(key)) is not None and held.began <= since:
            del self._answers[key]
        if len(self._asked) > KEPT_MAX:
            self._asked = {each: asked for each, asked in self._asked.items() if asked[-1] > since}
            self._answers = {each: answer for each, answer in self._answers.items() if answer.began > since}
        return len(times) >= MANY

    def _made(self, key: Hashable, own: _Answer, make: Callable[[], Value]) -> Value:
        try:
            value = make()
        except BaseException as error:
            own.error = error
            with self._lock:
                if self._answers.get(key) is own:
                    del self._answers[key]
            raise
        else:
            own.value = value
            return value
        finally:
            own.ready.set()
