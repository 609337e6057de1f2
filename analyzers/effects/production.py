"""Team production of a task's outcome by reading, planning, acting and verifying (eq. 8): what the next dollar of each brings.

Outcomes may be 0, so that logarithms of the outcome are out; the elasticities are those of a Poisson pseudo-likelihood with a
log link, which needs the mean alone to be right. With tasks enough the form is translog: uses may be complements or
substitutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analyzers.effects.estimate import LEVEL, Basis, Estimate, Floats, InputError, Ints, floats, own_clusters
from analyzers.effects.intervals import quantile, spread
from analyzers.effects.observational import Assignment

Form: TypeAlias = Literal["cobb_douglas", "translog"]

TASKS = "tasks as they were"
USES = ("read", "plan", "act", "verify")
_TASKS_PER_TERM = 15  # below this many for each term of a translog the form is Cobb–Douglas
_TASKS_MIN = 10  # for each term of a Cobb–Douglas
_APART_MIN = 1e-3  # of singular values of standardised terms, the least to the largest
_SAME = 1e-9  # relative: amounts that differ by less are the same


@dataclass(frozen=True, slots=True)
class Product:
    """One use of tokens: `per_dollar`, what one more dollar of it adds to the outcome (quality per USD), and `elasticity`, the
    per cent that one per cent more of it adds."""

    use: str
    per_dollar: Estimate
    elasticity: Estimate


@dataclass(frozen=True, slots=True)
class Production:
    """The fitted production of a task class.

    `complements`: for each pair of uses how much one per cent of the one raises the elasticity of the other (above 0:
    complements, below: substitutes); empty for Cobb–Douglas. `scale`: what one per cent more of everything adds, in per cent.
    `diminishing`: for each use whether its marginal product falls at the typical task; `concave`: whether the whole does, so
    that equal marginal products are an optimum. `equal_p`: p-value of all marginal products per dollar being equal (eq. 2); NaN
    where it is no question.
    """

    form: Form
    products: tuple[Product, ...]
    complements: dict[tuple[str, str], Estimate]
    scale: Estimate
    diminishing: dict[str, bool]
    concave: bool
    equal_p: float


class _Poisson(Protocol):
    coef_: Floats
    intercept_: float

    def fit(self, X: Floats, y: Floats) -> object: ...  # noqa: N803 - scikit-learn's names


@dataclass(frozen=True, slots=True)
class _Fit:
    terms: Floats  # (n, p) with the intercept first
    mean: Floats  # (n,) fitted outcomes
    influence: Floats  # (n, p): each task's pull on the coefficients, over n
    coefficients: Floats


def team_production(
    outcome: ArrayLike,
    tokens: ArrayLike,
    price_usd: ArrayLike,
    *,
    assignment: Assignment,
    uses: Sequence[str] = USES,
    controls: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    form: Form | None = None,
    level: float = LEVEL,
) -> Production:
    """Marginal product per dollar of each use of tokens in a task class.

    Shapes: outcome (n,) ≥ 0, one task (or attempt) each; tokens (n, K) ≥ 0 by use; price_usd (K,) or (n, K), USD per token;
    controls (n, d), features known before the task began; clusters (n,). `assignment`: `recorded` when, given the controls, how
    many tokens a task got had nothing to do with how hard it was; otherwise `unknown`, and nothing is identified: hard tasks
    burn tokens *and* fail. `form` None takes translog from 15 tasks for each of its terms on, where doses are many enough.
    Formula: E[Q|t] = exp(c + Σα_k·l_k + ½ΣΣβ_kj·l_k·l_j), l = log(1 + t) less its mean. Elasticity ε_k = α_k + Σβ_kj·l_j.
    Product per dollar = Σ_i Q_i·ε_ik·t_ik/(1 + t_ik) ÷ Σ_i usd_ik: one more dollar, spread over tasks as today's dollars are;
    for a Cobb–Douglas that is α_k·ΣQ/Σusd. Standard errors by the sandwich, clustered.
    Source: eq. 8 and eq. 2; Gourieroux, Monfort & Trognon 1984; Santos Silva & Tenreyro 2006; Christensen, Jorgenson & Lau
    1973.
    Raises: InputError naming the array.
    """
    quality = floats(outcome, "outcome", shape=(-1,))
    n, kinds = len(quality), len(uses)
    amounts = floats(tokens, "tokens", shape=(n, kinds))
    if (quality < 0).any() or (amounts < 0).any():
        raise InputError("outcome and tokens must not be negative")
    dollars = amounts * floats(price_usd, "price_usd")
    context = np.zeros((n, 0)) if controls is None else floats(controls, "controls", shape=(n, -1))
    context = independent(context)
    tasks = own_clusters(clusters, n)
    varied = [k for k in range(kinds) if n and np.ptp(amounts[:, k]) > _SAME * amounts[:, k].max()]
    chosen = form or _form(len(np.unique(tasks)), len(varied), context.shape[1])
    refusal = _refusal(quality, tasks, len(varied), context.shape[1], assignment, chosen, level)
    if refusal is not None:
        return _without(refusal, uses, chosen)
    logs = np.log1p(amounts[:, varied])
    logs = logs - logs.mean(axis=0)
    pairs = [(j, k) for j in range(len(varied)) for k in range(j, len(varied))] if chosen == "translog" else []
    if form is None and pairs and not _tells_apart(np.column_stack([logs, *_products(logs, pairs), context])):
        chosen, pairs = "cobb_douglas", []
    fit = _fit(quality, logs, pairs, context)
    return _answer(fit, quality, amounts, dollars, logs, pairs, tasks, varied, uses, chosen, level)


def independent(columns: Floats) -> Floats:
    """The columns, scaled, of which none is constant or follows from those before it; a fit of the others is not unique."""
    kept: list[Floats] = []
    basis: list[Floats] = []
    for column in columns.T if len(columns) else ():
        centred = column - column.mean()
        length = float(np.linalg.norm(centred))
        if length <= _SAME * max(float(np.linalg.norm(column)), 1e-300):
            continue
        left = centred / length
        for _ in range(2):  # twice is enough (Kahan): rounding of the first is taken out by the second
            for one in basis:
                left = left - one * float(one @ left)
        if float(np.linalg.norm(left)) > 1e-6:
            kept.append(centred / length)
            basis.append(left / float(np.linalg.norm(left)))
    return np.column_stack(kept) if kept else np.zeros((len(columns), 0))


def allocation(elasticities: ArrayLike, price_usd: ArrayLike, budget_usd: float) -> Floats:
    """Tokens of each use that a budget is best spent on under Cobb–Douglas, full prices in USD per token.

    Formula: t_k = (α_k/Σα)·budget/p_k; a use with no product gets nothing. Source: first-order condition of eq. 2.
    """
    alpha = np.maximum(floats(elasticities, "elasticities", shape=(-1,)), 0.0)
    price = floats(price_usd, "price_usd", shape=alpha.shape)
    if budget_usd < 0 or (price <= 0).any() or alpha.sum() == 0:
        raise InputError("an allocation needs a budget, positive prices and at least one use with a product")
    return alpha / alpha.sum() * budget_usd / price


def _form(tasks: int, kinds: int, controls: int) -> Form:
    terms = 1 + kinds + kinds * (kinds + 1) // 2 + controls
    return "translog" if tasks >= _TASKS_PER_TERM * terms else "cobb_douglas"


def _refusal(
    quality: Floats, tasks: Ints, kinds: int, controls: int, assignment: Assignment, form: Form, level: float
) -> Estimate | None:
    groups, terms = len(np.unique(tasks)), kinds + controls
    basis = Basis(len(quality), groups, form, TASKS, level)
    if assignment == "unknown":
        why = "what decided the tokens of a task was not recorded: hard tasks use more and fail more"
        return basis.nothing("not_identified", why)
    if kinds == 0:
        return basis.nothing("not_identified", "no use of tokens varies between tasks")
    if groups < _TASKS_MIN * (terms + 1) or not quality.any():
        why = f"{groups} tasks, a Cobb–Douglas of {terms} terms needs {_TASKS_MIN * (terms + 1)} and some with an outcome"
        return basis.nothing("not_enough_evidence", why)
    return None


def _without(refusal: Estimate, uses: Sequence[str], form: Form) -> Production:
    products = tuple(Product(use, refusal, refusal) for use in uses)
    return Production(form, products, {}, refusal, {}, False, math.nan)


def _products(logs: Floats, pairs: list[tuple[int, int]]) -> list[Floats]:
    """The translog's second-order terms."""
    return [logs[:, j] * logs[:, k] * (0.5 if j == k else 1.0) for j, k in pairs]


def _tells_apart(terms: Floats) -> bool:
    """Whether no term follows nearly from the others, as a square does from its use where that has two doses only."""
    spread = terms.std(axis=0)
    if not (spread > _SAME * np.abs(terms).max(axis=0)).all():
        return False
    sizes = np.linalg.svd((terms - terms.mean(axis=0)) / spread, compute_uv=False)
    return bool(sizes[-1] > _APART_MIN * sizes[0])


def _fit(quality: Floats, logs: Floats, pairs: list[tuple[int, int]], context: Floats) -> _Fit:
    from sklearn.linear_model import PoissonRegressor  # a second to load, which printing commands need not pay

    second = _products(logs, pairs)
    deviation = context.std(axis=0) if context.shape[1] else np.ones(0)
    body = np.column_stack([logs, *second, (context - context.mean(axis=0)) / deviation])
    scale = body.std(axis=0)
    model = cast("_Poisson", PoissonRegressor(alpha=0.0, solver="newton-cholesky", tol=1e-10, max_iter=200))
    model.fit(body / scale, quality)
    terms = np.column_stack([np.ones(len(quality)), body])
    coefficients = np.concatenate([[model.intercept_], model.coef_ / scale])
    mean = np.exp(terms @ coefficients)
    bread = np.linalg.inv((terms * mean[:, None]).T @ terms)
    leverage = np.minimum(mean * np.einsum("ij,jk,ik->i", terms, bread, terms), 0.9)
    # Residuals over 1 − leverage (HC3): few tasks pull the fit towards themselves and would look better predicted than they are.
    influence = (terms * ((quality - mean) / (1 - leverage))[:, None]) @ bread
    return _Fit(terms, mean, influence, coefficients)


def _answer(
    fit: _Fit,
    quality: Floats,
    amounts: Floats,
    dollars: Floats,
    logs: Floats,
    pairs: list[tuple[int, int]],
    tasks: Ints,
    varied: list[int],
    uses: Sequence[str],
    form: Form,
    level: float,
) -> Production:
    n, kinds = len(quality), len(varied)
    gradients = np.zeros((kinds, n, fit.terms.shape[1]))  # of each task's elasticity in the coefficients
    for k in range(kinds):
        gradients[k, :, 1 + k] = 1.0
        for place, (i, j) in enumerate(pairs):
            if k in (i, j):
                gradients[k, :, 1 + kinds + place] = logs[:, j if k == i else i]
    basis = Basis(n, len(np.unique(tasks)), form, TASKS, level)
    products: list[Product] = []
    pulls: list[Floats] = []
    for k, use in enumerate(uses):
        if k not in varied:
            why = f"{use} tokens do not vary between tasks"
            nothing = basis.nothing("not_identified", why)
            products.append(Product(use, nothing, nothing))
            continue
        gradient = gradients[varied.index(k)]
        share = amounts[:, k] / (1 + amounts[:, k])
        added = fit.mean * share * (gradient @ fit.coefficients)
        slope = ((fit.terms * added[:, None]) + gradient * (fit.mean * share)[:, None]).mean(axis=0)
        pull = n * fit.influence @ slope + added - added.mean()
        per_dollar, moved = _ratio(added.mean(), pull, dollars[:, k], tasks, basis)
        elasticity, _ = _ratio(
            added.mean(), pull, fit.mean + n * fit.influence @ (fit.terms * fit.mean[:, None]).mean(axis=0), tasks, basis
        )
        products.append(Product(use, per_dollar, elasticity))
        pulls.append(moved)
    whole = sum(gradients[k] for k in range(kinds))
    scale = _linear(fit, np.asarray(whole).mean(axis=0), tasks, basis)
    complements = {
        (uses[varied[i]], uses[varied[j]]): _coefficient(fit, 1 + kinds + place, tasks, basis)
        for place, (i, j) in enumerate(pairs)
        if i != j
    }
    diminishing, concave = _curvature(fit.coefficients, pairs, kinds)
    names = {uses[varied[k]]: diminishing[k] for k in range(kinds)}
    equal = _equal([p.per_dollar for p in products if p.per_dollar.value is not None], pulls, tasks)
    return Production(form, tuple(products), complements, scale, names, concave, equal)


def _ratio(value: float, pull: Floats, base: Floats, tasks: Ints, basis: Basis) -> tuple[Estimate, Floats]:
    """A ratio of means, with each task's pull on it: the numerator's and the denominator's."""
    below = float(base.mean())
    moved = (pull - value / below * (base - below)) / below
    return _interval(value / below, moved, tasks, basis), moved


def _coefficient(fit: _Fit, place: int, tasks: Ints, basis: Basis) -> Estimate:
    return _interval(float(fit.coefficients[place]), len(fit.mean) * fit.influence[:, place], tasks, basis)


def _linear(fit: _Fit, slope: Floats, tasks: Ints, basis: Basis) -> Estimate:
    return _interval(float(slope @ fit.coefficients), len(fit.mean) * fit.influence @ slope, tasks, basis)


def _interval(value: float, pull: Floats, tasks: Ints, basis: Basis) -> Estimate:
    of = spread(pull - pull.mean(), tasks)
    half = quantile(of.degrees, basis.level) * of.standard_error
    return basis.found(value, of.standard_error, value - half, value + half, degrees=of.degrees)


def _curvature(coefficients: Floats, pairs: list[tuple[int, int]], kinds: int) -> tuple[list[bool], bool]:
    """Whether Q falls off in each use and in all together at the typical task: its Hessian in logs-to-levels form."""
    alpha = coefficients[1 : 1 + kinds]
    hessian = np.outer(alpha, alpha) - np.diag(alpha)
    for place, (i, j) in enumerate(pairs):
        hessian[i, j] += coefficients[1 + kinds + place]
        if i != j:
            hessian[j, i] += coefficients[1 + kinds + place]
    return [bool(hessian[k, k] < 0) for k in range(kinds)], bool(np.linalg.eigvalsh(hessian).max() <= 1e-9)


def _equal(products: list[Estimate], pulls: list[Floats], tasks: Ints) -> float:
    """p-value of equal marginal products per dollar: Wald's F on the differences from the first."""
    if len(products) < 2:
        return math.nan
    n, groups = len(tasks), int(tasks.max()) + 1
    gaps = np.array([product.numbers()[0] - products[0].numbers()[0] for product in products[1:]])
    moved = np.column_stack([pull - pulls[0] for pull in pulls[1:]]) / n
    sums = np.column_stack([np.bincount(tasks, weights=column) for column in moved.T])
    covariance = sums.T @ sums * groups / (groups - 1)
    wald = float(gaps @ np.linalg.solve(covariance, gaps)) / len(gaps)
    return float(stats.f.sf(wald, len(gaps), max(1, groups - len(products) - 1)))
