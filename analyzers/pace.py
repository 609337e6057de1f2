"""How often costly work is done: seldom enough to leave the machine to others, often enough to keep a promise.

What is done over and over takes a tenth of a core, unless the promise needs more: evidence that arrives just after one run began
is seen by the next one, so that it waits for two runs and the pause between them. (A run looks first at what is soon looked at,
and tells what it finds at once, so that most waits for less.)
"""

from __future__ import annotations

from analyzers.tasks.prices import GRACE_S

PROMISED_S = 60.0
"""From the moment that the evidence is there to the alert."""
REST_S = 8.0 + GRACE_S
"""Of these, what is around the work: the grace of a task's trace, the clock's interval (2 s, more under load) before a run, and
the alert after it."""
PAUSE_MIN_S = 2.0
ROUNDS_PAUSE_MAX_S = 15.0
_SHARE = 10.0
_EASES_FROM_S, _EASES_S = 25.0, 40.0


def pause_after(took_s: float, worked_s: float | None = None) -> float:
    """Seconds to rest after work that took so long.

    Ten times as long as was worked, for a tenth of a core; less where that would break the promise, which by this bound is kept
    while the work takes 17 s at most. Who works for more than 25 s rests the longer, until a tenth of a core is enough again
    (some 400 s). `worked_s`: of a core, None if that was all the time: who only waited for a busy machine has not kept it from
    anybody.
    """
    worked = took_s if worked_s is None else min(worked_s, took_s)
    kept = PROMISED_S - REST_S - 2 * took_s
    eased = PAUSE_MIN_S + (worked**2 - _EASES_FROM_S**2) / _EASES_S
    return max(PAUSE_MIN_S, min(_SHARE * worked, max(kept, eased)))


def rounds_pause(took_s: float, interval_s: float) -> float:
    """Seconds between rounds of the clock after one that took so long: ten times that, for a tenth of a core, but no more than
    `ROUNDS_PAUSE_MAX_S`.

    A round that works off what was loaded takes minutes. To rest ten times that would leave all that comes meanwhile unsettled,
    and nobody told of anything, for most of an hour.
    """
    return max(interval_s, min(_SHARE * took_s, ROUNDS_PAUSE_MAX_S))


def waits_at_most(took_s: float) -> float:
    """Seconds that evidence waits for its alert at most, when every run takes so long."""
    return 2 * took_s + pause_after(took_s) + REST_S
