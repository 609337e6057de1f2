"""A few rounds of every kind of fault: nothing acknowledged is lost, nothing is booked twice, and every amount is right."""

from __future__ import annotations

import pytest

from bench.faults.kinds import KINDS
from bench.faults.rounds import run_round
from bench.faults.server import Server

ROUNDS = 2
OUTAGE_S = 2.0


@pytest.mark.timeout(600)  # a round ends by itself, even when everything in it takes as long as it may
@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_acknowledged_is_lost_doubled_or_wrong(postgres: Server, kind: str, number: int) -> None:
    outcome = run_round(postgres, KINDS[kind], f"tests:{kind}:{number}", outage_s=OUTAGE_S)
    assert not outcome.findings.all
    assert outcome.acknowledged > 0
    if outcome.not_counted:
        pytest.skip(outcome.not_counted)
