"""What a look at an engine shows beside its dollars: who waits, the fitted engine, two further tests, and what may be wrong."""

from __future__ import annotations

import numpy as np

from analyzers.effects.estimate import Bools, Floats
from analyzers.modes.congestion.books import Group, Seen
from analyzers.modes.congestion.external import Imposed
from analyzers.modes.congestion.fingerprint import fingerprint, windows
from analyzers.modes.congestion.fit import Engine
from analyzers.modes.congestion.speculation import Speculation, draft_cost, make_or_buy
from analyzers.modes.congestion.timeline import Blocks, overtaken, timeline
from analyzers.modes.look import Json

_WINDOW_S = 300.0


def detail_of(seen: Seen, engine: Engine, group: Group, mask: Bools, imposed: Imposed, days: float) -> dict[str, Json]:
    """Who waits (other tenants in one sum), the fitted engine, the fingerprint of prediction 3, and drafting as make or buy."""
    usd = imposed.delay_s * np.nan_to_num(seen.served.lam)
    own: dict[str, Json] = {}
    others_s = others_usd = 0.0
    for code, victim in enumerate(seen.groups):
        of = seen.served.group == code
        if victim == group:
            continue
        if victim.tenant_id == group.tenant_id:
            own[victim.task_class] = {
                "delay_s_per_day": float(imposed.delay_s[of].sum()) / days,
                "usd_per_day": float(usd[of].sum()) / days,
            }
        else:
            others_s, others_usd = others_s + float(imposed.delay_s[of].sum()), others_usd + float(usd[of].sum())
    a, b, c, w = engine.parameters().tolist()
    return {
        "victims": {"own": own, "other_tenants": {"delay_s_per_day": others_s / days, "usd_per_day": others_usd / days}},
        "engine": {
            "step_s": a, "step_per_sequence_s": b, "step_per_kv_token_s": c, "mixing": w, "pace": engine.pace.tolist(),
            "prefill_per_token_s": _number(engine.prefill_per_token_s), "batch_max": _number(engine.batch_max),
            "kv_max_tokens": _number(engine.kv_max), "misfit": engine.misfit, "requests": engine.n,
        },
        "fingerprint": _fingerprint(seen, mask),
        "speculation": _speculation(seen, engine, group),
    }  # fmt: skip


def weaknesses_of(seen: Seen, replayed_s: Floats) -> tuple[str, ...]:
    """What would make the number wrong, as far as the spans themselves tell.

    `replayed_s` (n,): the latencies in a replay with nobody left out.
    """
    served = seen.served
    found = ["Counted is what happened, given who came when: other days bring other crowds."]
    hidden = unseen(seen)
    if hidden > 0.05:
        found.append(f"{100 * hidden:.0f} % of what the engine says it served has no spans: delays by and of it are not counted.")
    off = float(np.nansum(np.abs(replayed_s - served.latency_s)) / max(1e-9, float(served.latency_s.sum())))
    if off > 0.05:
        found.append(
            f"Replayed with nobody left out, latencies are {100 * off:.0f} % off what was seen: the engine has rules of its own."
        )
    over = overtaken(served)
    if over > 0.05:
        found.append(f"{100 * over:.0f} % of requests were overtaken: the replay serves who came first.")
    unpriced = ~np.isfinite(served.lam)
    if unpriced.any():
        found.append(f"{100 * float(unpriced.mean()):.0f} % of the requests have no λ: their delay is not counted.")
    if seen.left_out:
        found.append(f"{seen.left_out} requests do not tell their times and tokens.")
    if seen.is_cut:
        found.append("There were more requests than are read; the latest are.")
    return tuple(found)


def unseen(seen: Seen) -> float:
    """Share of the sequences that the engine says it served at once which the spans do not show."""
    known = np.isfinite(seen.batch)
    if not known.any():
        return 0.0
    line = timeline(seen.served, _whole(seen))
    inside = (line.decoding + line.prefilling)[np.minimum(line.admitted, len(line.lasts_s) - 1)]
    said = float(seen.batch[known].sum())
    return max(0.0, 1.0 - float(np.minimum(inside[known], seen.batch[known]).sum()) / said) if said > 0 else 0.0


def _whole(seen: Seen) -> Blocks:
    return Blocks(float(seen.served.arrived_s[0]), 1e9, 1)


def _fingerprint(seen: Seen, mask: Bools) -> Json:
    """Prediction 3, with everybody else's shorter requests as the victims; it knows nothing of the replay."""
    typical = float(np.median(seen.served.kv_tokens[mask]))
    short = ~mask & (seen.served.kv_tokens < typical)
    if not short.any():
        return None
    made = windows(seen.served, short, mask, _WINDOW_S)
    found = fingerprint(made.latency_s, made.others_long_tokens, traffic=made.traffic, hour=made.hour, day=made.day)
    return {
        "verdict": found.verdict, "s_per_thousand_tokens": found.slope, "low": found.low, "high": found.high, "p": found.p,
        "windows": found.windows, "why": found.why,
    }  # fmt: skip


def _speculation(seen: Seen, engine: Engine, group: Group) -> Json:
    """Drafting by the length of the context, over the tenant's own requests, and from which length on it does not pay."""
    own = np.isin(seen.served.group, [k for k, one in enumerate(seen.groups) if one.tenant_id == group.tenant_id])
    drafts = own & (seen.proposed > 0) & np.isfinite(seen.context_tokens)
    if not drafts.any():
        return None
    cost = draft_cost(seen.served, engine, seen.proposed)
    per_step: Floats = seen.proposed[drafts] / seen.served.steps[drafts]
    break_even, drafted = (0.0 if cost is None else max(0.0, cost[0])), float(np.median(per_step))
    of = (seen.context_tokens[drafts], seen.proposed[drafts], seen.accepted[drafts])
    found = make_or_buy(*of, break_even=break_even, drafted=drafted)
    return {"acceptance": [list(band) for band in found.acceptance], **_threshold(found, known=cost is not None)}


def _threshold(found: Speculation, *, known: bool) -> dict[str, Json]:
    if not known:
        why = "a draft's time is not known, since all requests drafted alike"
        return {"answer": f"{why}: drafting pays while it is a smaller share of a step than the share of drafts accepted"}
    low, high = (None if bound is None else _number(bound) for bound in (found.low, found.high))
    return {
        "answer": found.answer, "break_even": found.break_even, "off_from_tokens": found.off_from_tokens, "low": low,
        "high": high, "saved_share": found.saved_share,
    }  # fmt: skip


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
