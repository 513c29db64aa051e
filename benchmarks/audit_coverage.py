"""How often 95 % intervals of the audit's measures hold the truth, in simulated worlds. No seconds.

`estimate_more_data` at twice and four times the rows, for true curves of many shapes and designs as
people have them; how often a rise is found where there is none; `estimate_error_budget` for votes,
squared and log loss; `estimate_interpolation_harm`, jointly and of the best recipe.

    python benchmarks/audit_coverage.py [--draws 100]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr

from measuring import show
from overparam.measures import (
    estimate_curve_rise,
    estimate_error_budget,
    estimate_interpolation_harm,
    estimate_more_data,
)

Rng = np.random.Generator
CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "n^-.2": lambda n: 0.4 * (n / 100) ** -0.2,
    "n^-1": lambda n: 0.4 * (n / 100) ** -1.0,
    ".05 + n^-.5": lambda n: 0.05 + 0.4 * (n / 100) ** -0.5,
    ".2 + n^-1": lambda n: 0.2 + 0.25 * (n / 100) ** -1.0,
    "exponential 400": lambda n: 0.1 + 0.3 * np.exp(-n / 400),
    "exponential 2,000": lambda n: 0.1 + 0.3 * np.exp(-n / 2000),
    "logarithm": lambda n: np.maximum(0.5 - 0.05 * np.log(n / 100), 0.02),
    "two powers": lambda n: 0.05 + 0.2 * (n / 100) ** -1.0 + 0.15 * (n / 100) ** -0.2,
    "sigmoid": lambda n: 0.1 + 0.35 / (1 + n / 1000),
    "steep sigmoid": lambda n: 0.1 + 0.35 / (1 + (n / 1000) ** 2),
    "flat": lambda n: 0.3 + 0.0 * n,
    "near 0": lambda n: 0.01 + 0.1 * (n / 100) ** -0.7,
}
DESIGNS = {
    "100 to 1,600, 5 sizes, 3 repeats": (100 * 2.0 ** np.arange(5), 3),
    "100 to 3,200, 6 sizes, 5 repeats": (100 * 2.0 ** np.arange(6), 5),
    "320 to 3,200 evenly, 5 sizes, 5 repeats": (np.linspace(0.1, 1, 5) * 3200, 5),
    "100 to 6,400, 8 sizes, 10 repeats": (np.geomspace(100, 6400, 8), 10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    found: dict[str, dict[str, float]] = {}
    for design, (rows, n_repeats) in DESIGNS.items():
        for name, curve in CURVES.items():
            _tell(found, f"{name}; {design}", more_data(curve, rows, n_repeats, draws))
    for loss, make, true in BUDGETS:
        for n_models, n in ((4, 200), (10, 300), (20, 500)):
            said = budget(loss, make, true, n_models, n, draws)
            _tell(found, f"{loss}, {make.__name__}, {n_models} models, {n} rows", said)
    for n_recipes, n_models, n in ((2, 2, 200), (2, 10, 300), (4, 5, 500)):
        said = harm(n_recipes, n_models, n, draws)
        _tell(found, f"{n_recipes} recipes, {n_models} models, {n} rows", said)
    lines = (f"| {name} | {_shown(row)} |" for name, row in found.items())
    show("audit_coverage", "\n".join(lines), draws=draws, coverage=found)


def more_data(
    curve: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, n_repeats: int, draws: int
) -> dict[str, float]:
    """Return shares told, rising, and covering where told; noise of training and of 1,000 rows."""
    told, rises, hits = 0, 0, {2: 0, 4: 0}
    mean = curve(rows)[:, None]
    luck = 0.015 * (rows / 100)[:, None] ** -0.25 * min(1.0, float(mean[0, 0]) / 0.3)
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        p = np.clip(mean + luck * rng.standard_normal((len(rows), n_repeats)), 0, 1)
        errors = rng.binomial(1000, p) / 1000
        said = estimate_more_data(rows, errors)
        rises += estimate_curve_rise(rows, errors).rises
        told += said.told
        for factor in hits if said.told else ():
            far = said.error_at(factor * rows[-1])
            hits[factor] += far.low <= curve(np.array([far.rows]))[0] <= far.high
    shares = {f"{k}x": v / max(told, 1) for k, v in hits.items()}
    return {"told": told / draws, "rises": rises / draws, **shares}


def votes(rng: Rng, n_models: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Class 0 is right; a row is answered so with probability ndtr of its ease."""
    ease = 1 + rng.standard_normal(n) + 0.1 * rng.standard_normal((n_models, 1))
    return (rng.random((n_models, n)) >= ndtr(ease)).astype(int), np.zeros(n, int)


def numbers(rng: Rng, n_models: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Bias of deviation .7, a shift of each model of .1, noise of .5; targets are 0."""
    own = 0.5 * rng.standard_normal((n_models, n))
    return 0.7 * rng.standard_normal(n) + 0.1 * rng.standard_normal((n_models, 1)) + own, np.zeros(
        n
    )


def softmax(rng: Rng, n_models: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of three classes, the first of which is right."""
    scores = np.array([1.5, 0, 0]) + rng.standard_normal((n, 3))
    said = np.exp(scores + rng.standard_normal((n_models, n, 3)))
    return said / said.sum(2, keepdims=True), np.zeros(n, int)


def _true_log_losses() -> dict[str, float]:
    said, _ = softmax(np.random.default_rng(0), 400, 20_000)
    total, ensemble = -np.log(said[..., 0]).mean(), -np.log(said[..., 0].mean(0)).mean()
    return {"total": total, "ensemble": ensemble, "averaging": total - ensemble}


def rarely_wrong(rng: Rng, n_models: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of .995, as calibrated models say that are right so often."""
    return np.tile([0.995, 0.005], (n_models, n, 1)), (rng.random(n) < 0.005).astype(int)


def outliers(rng: Rng, n_models: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Real predictions that are far off on 2 % of rows."""
    off = np.where(rng.random(n) < 0.02, 10, 0.1) * rng.standard_normal(n)
    return np.tile(off, (n_models, 1)), np.zeros(n)


_ONE, _VOTE = float(ndtr(-1 / np.sqrt(2.01))), float(ndtr(-1.0))
BUDGETS: tuple[tuple[str, Callable[..., Any], dict[str, float]], ...] = (
    ("zero_one", votes, {"total": _ONE, "ensemble": _VOTE, "averaging": _ONE - _VOTE}),
    ("squared", numbers, {"total": 0.75, "ensemble": 0.49, "averaging": 0.26}),
    ("log", softmax, _true_log_losses()),
    ("log", rarely_wrong, {"total": -0.995 * np.log(0.995) - 0.005 * np.log(0.005)}),
    ("squared", outliers, {"total": 0.02 * 100 + 0.98 * 0.01}),
)


def budget(
    loss: str, make: Callable[..., Any], true: dict[str, float], n_models: int, n: int, draws: int
) -> dict[str, float]:
    """Return how often each part is covered."""
    hits = dict.fromkeys(true, 0)
    for seed in range(draws):
        said = estimate_error_budget(*make(np.random.default_rng(seed), n_models, n), loss=loss)
        for name, value in true.items():
            hits[name] += getattr(said, name).low <= value <= getattr(said, name).high
    return {name: hit / draws for name, hit in hits.items()}


def harm(n_recipes: int, n_models: int, n: int, draws: int) -> dict[str, float]:
    """Return how often all gains, and that of the best, are covered; recipes are alike."""
    joint = best = harmful = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        ease = 1 + rng.standard_normal(n) + 0.4 * rng.standard_normal((n_recipes, 1, n))
        p = ndtr(ease + 0.1 * rng.standard_normal((n_recipes, n_models, 1)))
        said = estimate_interpolation_harm((rng.random(p.shape) < p).astype(float))
        joint += bool(np.all((said.low <= 0) & (said.high >= 0)))
        best += said.best_low <= 0 <= said.best_high
        harmful += said.answer == "harmful"
    return {"joint": joint / draws, "best": best / draws, "harmful": harmful / draws}


def _tell(found: dict[str, dict[str, float]], name: str, row: dict[str, float]) -> None:
    found[name] = row
    print(name, _shown(row), flush=True)


def _shown(row: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in row.items())


if __name__ == "__main__":
    main()
