"""Made-up maps of given preferences, and records of designs that consist of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from overparam.lab.records import Record, Records
from overparam.phenomena.identity._task import SCORES, MapOutcome

N_SHOWN = 16


def made_up(preference, *, learned=True, outputs=None) -> MapOutcome:
    """A map of a given preference, all else plain."""
    baselines = np.linspace(0, 0.9, 43, dtype=np.float32)
    baseline, toward = float(baselines.mean()), (1 + preference) / 2
    correlation = baseline + (1 - baseline) * toward
    return MapOutcome(
        n_params=0,
        n_steps=10,
        train_loss=1e-7 if learned else 0.1,
        learned=learned,
        identity_correlation=correlation,
        constant_correlation=1 + baseline - correlation,
        identity_mse=0.1,
        constant_mse=0.1,
        edge_score=0.0,
        preference=preference,
        scores=np.full((len(SCORES), 43), correlation, np.float32),
        preferences=np.full(43, preference, np.float32),
        baselines=baselines,
        outputs=np.zeros((N_SHOWN, 14, 14), np.float16) if outputs is None else outputs,
        layers=(),
    )


def records_of(phenomenon, preference, *, n_seeds=5, base=None) -> Records:
    """Records of the standard design with preferences from a rule, a little noise added."""
    found = phenomenon.PHENOMENON
    cells = found.conditions("standard") if base is None else found.cells(base)
    noise = np.random.default_rng(0).normal(0, 0.02, (n_seeds, len(cells)))
    return Records(
        [
            Record(c, seed, replace(made_up(preference(c) + noise[seed, i]), n_params=size(c)))
            for seed in range(n_seeds)
            for i, c in enumerate(cells)
        ]
    )


def size(c) -> int:
    return getattr(c, "n_params", 0)


def later_by(layers):
    """Preferences that fall through 0 at depth 8.5, later with more images of digits."""

    def preference(c) -> float:
        extra = layers * (c.n_images - 1) / 2 if c.images == "different digits" else 0
        return float(np.tanh((8.5 + extra - c.depth) / 3))

    return preference
