"""Effects on recorded routing: what two models answered to the same prompts, played back as logs in which only one was asked."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from analyzers.effects import observational, propensity, scores
from tests.conftest import SHARED_DATA

MMLU = SHARED_DATA / "routing" / "mmlu.csv"
pytestmark = pytest.mark.skipif(not MMLU.is_file(), reason="the recorded answers of two models are not beside the repository")


@pytest.fixture(scope="module")
def prompts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Task class (n,), length in characters (n,), and whether weak and strong answered right (n, 2)."""
    with MMLU.open(newline="") as file:
        rows = list(csv.DictReader(file))
    classes = np.unique([row["task_class"] for row in rows], return_inverse=True)[1]
    right = np.array([[float(row["weak_correct"]), float(row["strong_correct"])] for row in rows])
    return classes, np.array([float(row["prompt_chars"]) for row in rows]), right


def test_a_randomised_log_gives_every_class_its_effect(prompts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    classes, chars, right = prompts
    covered = total = 0
    for seed in range(4):
        chosen = np.random.default_rng(seed).integers(0, 2, size=len(classes))
        log = propensity.read_log(
            chosen, right[np.arange(len(chosen)), chosen], np.full(len(chosen), 0.5), options=2, features=np.log(chars)[:, None]
        )
        for place, estimate in scores.by_segment(propensity.doubly_robust(log), classes, 1, 0).items():
            truth = (right[:, 1] - right[:, 0])[classes == place].mean()
            covered += estimate.numbers()[2] <= truth <= estimate.numbers()[3]
            total += 1
    # Both answers to a prompt are fixed here and alike, so that the effect varies less than the interval allows: above 95 %.
    assert covered >= 0.95 * total


def test_a_log_that_sends_long_prompts_to_the_strong_model_covers(prompts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, chars, right = prompts
    length = (np.log(chars) - np.log(chars).mean()) / np.log(chars).std()
    inside = 0
    for seed in range(10):
        chosen = (np.random.default_rng(seed).random(len(chars)) < 1 / (1 + np.exp(-2 * length))).astype(np.int64)
        outcome = right[np.arange(len(chosen)), chosen]
        made = observational.doubly_robust(chosen, outcome, length[:, None], options=2, assignment="recorded")
        kept = made.scores.supported(0, 1)
        _, _, low, high = scores.contrast(made.scores, 1, 0).numbers()
        inside += low <= (right[:, 1] - right[:, 0])[kept].mean() <= high
    assert inside >= 9


def test_a_fixed_rule_on_length_identifies_nothing(prompts: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, chars, right = prompts
    chosen = (chars > np.median(chars)).astype(np.int64)
    outcome = right[np.arange(len(chosen)), chosen]
    made = observational.doubly_robust(chosen, outcome, np.log(chars)[:, None], options=2, assignment="recorded")
    assert scores.contrast(made.scores, 1, 0).status == "not_identified"
