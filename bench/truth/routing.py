"""Appraisals of recorded routing: several models answered the same prompts, of which each replication logs one answer.

usage: python -m bench truth routing --data DIR [--replications 500] [--seed 1] [--only WORDS] [--write]

DIR holds gsm8k.csv and mmlu.csv (id, task_class, prompt_chars, weak_correct, strong_correct) and, for a menu of three,
zeroeval_gsm_correct.csv.gz with zeroeval_gsm_output_chars.csv.gz (id, prompt_chars, a column per model). A file that is absent
is left out, and said to be. Each replication draws prompts with replacement and a value for each, logs what one model answered,
and appraises; the truth is what all answered, on average over prompts of about the same length. Costs are lengths at list
prices. `--write` puts the table between the markers of docs/methods.md. Exit 1 when a promise is broken, 2 when DIR holds none
of the files.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from analyzers.attribution.appraise import appraise
from analyzers.attribution.choices import Choices
from analyzers.effects.estimate import Floats, Ints
from bench.truth.command import Case, arguments, run
from bench.truth.tally import Known, Tally

_THREE = ("Meta-Llama-3-8B-Instruct", "gpt-4o-mini-2024-07-18", "claude-3-5-sonnet-20241022")
_PRICES = {"weak": (0.6, 0.6), "strong": (10.0, 30.0)}  # USD per million tokens of prompt and answer, list prices of such models
_PRICES_THREE = {_THREE[0]: (0.05, 0.08), _THREE[1]: (0.15, 0.6), _THREE[2]: (3.0, 15.0)}
_CHARS_PER_TOKEN = 4.0
_ANSWER_TOKENS = 250.0  # where the length of answers was not recorded
_BINS = 20
_SCENARIOS = {
    "randomised": "found",
    "confounded: strong for long prompts": "found",
    "frontier by default, 5 % explored": "found",
    "frontier by default, 15 % explored": "found",
    "cost-minimising, 5 % explored": "found",
    "cost-minimising, 15 % explored": "found",
    "cost-minimising, never explored": "refuse",
    "a fixed rule on length": "refuse",
}


@dataclass(frozen=True, slots=True)
class Prompts:
    """Recorded answers: `right` and `cost` (n, K) of every model, `chars` (n,) of the prompts, `told` (n, K) the share right
    among prompts of about the same length."""

    name: str
    models: tuple[str, ...]
    chars: Floats
    right: Floats
    cost: Floats
    told: Floats


def main() -> int:
    """Run the scenarios, print the table; exit 1 when a promise is broken, 2 without data."""
    given = arguments("routing", __doc__ or "", _add)
    folder = Path(given.data)
    found = [prompts for prompts in (_two(folder, "gsm8k"), _two(folder, "mmlu"), _three(folder)) if prompts is not None]
    if not found:
        message = "holds neither gsm8k.csv nor mmlu.csv nor zeroeval_gsm_correct.csv.gz: give their folder by --data"
        print(f"{folder}: {message}", file=sys.stderr)
        return 2
    cases = [
        Case(title, n * len(found), promise, partial(_once, found, title, n))
        for title, promise in _SCENARIOS.items()
        for n in ((5_000 // len(found), 20_000 // len(found)) if promise == "found" else (5_000 // len(found),))
    ]
    return run("routing", __doc__ or "", cases, given)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, help="folder of the recorded answers")


def _two(folder: Path, name: str) -> Prompts | None:
    path = folder / f"{name}.csv"
    if not path.is_file():
        print(f"{path}: absent, {name} is left out", file=sys.stderr)
        return None
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chars = np.array([float(row["prompt_chars"]) for row in rows])
    right = np.array([[float(row["weak_correct"]), float(row["strong_correct"])] for row in rows])
    answer = np.array([[_answer(row, model) for model in ("weak", "strong")] for row in rows])
    return _prompts(name, ("weak", "strong"), chars, right, _cost(chars, answer, list(_PRICES.values())))


def _answer(row: dict[str, str], model: str) -> float:
    written = row.get(f"{model}_output_chars") or ""
    return float(written) / _CHARS_PER_TOKEN if written else _ANSWER_TOKENS


def _three(folder: Path) -> Prompts | None:
    path, lengths = folder / "zeroeval_gsm_correct.csv.gz", folder / "zeroeval_gsm_output_chars.csv.gz"
    if not path.is_file() or not lengths.is_file():
        print(f"{path}: absent, zeroeval is left out", file=sys.stderr)
        return None
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(lengths, "rt", encoding="utf-8", newline="") as file:
        written = {row["id"]: row for row in csv.DictReader(file)}
    whole = [row for row in rows if all(row[m] != "" and (written.get(row["id"]) or {}).get(m, "") != "" for m in _THREE)]
    chars = np.array([float(row["prompt_chars"]) for row in whole])
    right = np.array([[float(row[model]) for model in _THREE] for row in whole])
    answer = np.array([[float(written[row["id"]][model]) / _CHARS_PER_TOKEN for model in _THREE] for row in whole])
    return _prompts("zeroeval", _THREE, chars, right, _cost(chars, answer, [_PRICES_THREE[model] for model in _THREE]))


def _cost(chars: Floats, answer_tokens: Floats, prices: list[tuple[float, float]]) -> Floats:
    sent, written = np.array(prices).T / 1e6
    return chars[:, None] / _CHARS_PER_TOKEN * sent + answer_tokens * written


def _prompts(name: str, models: tuple[str, ...], chars: Floats, right: Floats, cost: Floats) -> Prompts:
    places = np.argsort(np.argsort(chars, kind="stable"), kind="stable") * _BINS // len(chars)
    told = np.stack([right[places == k].mean(axis=0) for k in range(_BINS)])[places]
    return Prompts(name, models, chars, right, cost, told)


def _once(found: list[Prompts], title: str, n: int, tally: Tally, rng: np.random.Generator, seed: int) -> None:
    strata: list[Known] = []
    for place, prompts in enumerate(found):
        choices, net = _logged(prompts, title, n, place, rng)
        strata.append(Known("demand", "route", choices, appraise(choices, seed=seed), net))
    tally.add(strata)


def _logged(prompts: Prompts, title: str, n: int, place: int, rng: np.random.Generator) -> tuple[Choices, Floats]:
    """A period of traffic, and the expected net of every model in each of its decisions."""
    rows = rng.integers(0, len(prompts.chars), size=n)
    v = np.exp(np.log(0.1) + 1.2 * rng.normal(size=n)) * np.where(rng.random(n) < 0.03, 20.0, 1.0)
    menu = _menu(title, np.log(prompts.chars[rows]), len(prompts.models))
    chosen: Ints = (rng.random(n)[:, None] > menu.cumsum(axis=1)).sum(axis=1).clip(0, menu.shape[1] - 1).astype(np.int64)
    at = np.arange(n), chosen
    logged = "confounded" not in title and "rule" not in title
    unknown = np.full(n, np.nan)
    choices = Choices(
        prompts.models,
        chosen,
        np.arange(n) + place * n,
        1.7e9 + np.sort(rng.random(n)) * 1_209_600,
        prompts.right[rows][at],
        prompts.cost[rows][at],
        prompts.cost[rows][at],
        unknown,
        unknown,
        v,
        np.zeros(n),
        np.zeros(n),
        menu[at] if logged else unknown,
        menu if logged else None,
        "logged" if logged else "recorded",
        np.log(prompts.chars[rows])[:, None],
        ("log_chars",),
    )
    return choices, v[:, None] * prompts.told[rows] - prompts.cost[rows]


def _menu(title: str, log_chars: Floats, options: int) -> Floats:
    """Shape (n, K): the probability of each model."""
    n = len(log_chars)
    if title == "randomised":
        return np.full((n, options), 1 / options)
    length = (log_chars - log_chars.mean()) / log_chars.std()
    menu = np.zeros((n, options))
    if "rule" in title:
        menu[np.arange(n), np.where(length > 0, options - 1, 0)] = 1.0
    elif "confounded" in title:
        menu = np.exp(1.2 * length[:, None] * np.linspace(-0.5, 0.5, options))
        menu /= menu.sum(axis=1, keepdims=True)
    else:
        share = 0.0 if "never" in title else 0.15 if "15 %" in title else 0.05
        menu[:] = share / options
        menu[:, 0 if "cost" in title else options - 1] += 1 - share
    return menu
