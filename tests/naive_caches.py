"""Second implementations of what caches tell: slow, plain, and written from the definitions."""

from __future__ import annotations

import math

from bench.truth.caches import Request


def falling_means(kept: list[float], weights: list[float]) -> list[float]:
    """Isotonic regression, falling, by the min-max formula: max over ends of min over beginnings of the mean between them."""
    n = len(kept)

    def mean(first: int, last: int) -> float:
        mass = weights[first : last + 1]
        return sum(k * w for k, w in zip(kept[first : last + 1], mass, strict=True)) / sum(mass)

    return [min(max(mean(first, last) for last in range(place, n)) for first in range(place + 1)) for place in range(n)]


def likeliest_rate(ages: list[float], kept: list[bool], rates: list[float]) -> float:
    """The rate of a grid under which what was kept and lost is the likeliest."""

    def log_likelihood(rate: float) -> float:
        return sum(
            -rate * age if is_kept else math.log(1 - math.exp(-rate * age)) for age, is_kept in zip(ages, kept, strict=True)
        )

    return max(rates, key=log_likelihood)


def distances(used: list[int]) -> list[float]:
    """For each use how many other keys were used since the last one of its key; infinite for the first."""
    found: list[float] = []
    for place, key in enumerate(used):
        before = [at for at in range(place) if used[at] == key]
        found.append(float(len(set(used[before[-1] + 1 : place]) - {key})) if before else math.inf)
    return found


def oldest_ages(requests: list[Request]) -> list[tuple[int, float]]:
    """For every piece that was sent before, and all before it too: its request and the greatest age among them."""
    found: list[tuple[int, float]] = []
    for index, request in enumerate(requests):
        age = 0.0
        for piece in request.pieces:
            earlier = [one.at_s for one in requests[:index] if piece in one.pieces]
            if not earlier:
                break
            age = max(age, request.at_s - earlier[-1])
            found.append((index, age))
    return found
