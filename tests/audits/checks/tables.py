"""Small tables with a known fault, or with none, for the tests of checks of data."""

import numpy as np
import pandas as pd
from sklearn.naive_bayes import GaussianNB

from overparam.audits.evidence import Evidence
from overparam.audits.one_model import OneModel, Said
from overparam.audits.subject import make_subject


def clean_table(n=300, seed=0, *, columns=4):
    """Columns that each say a little of the target, in no order, with nothing missing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, columns)), columns=[f"x{i}" for i in range(columns)])
    y = (X.sum(axis=1) + rng.normal(size=n) * 1.5 > 0).astype(int).to_numpy()
    return X, y


def evidence_on(X, y, model=None, *, trained=True, **options):
    """Evidence with one model that took hardly a second, so that a check fits it again."""
    budget = options.pop("budget", 600.0)
    seed = options.pop("seed", 0)
    subject = make_subject(GaussianNB() if model is None else model, X, y, **options)
    evidence = Evidence(subject, seed=seed, budget=budget)
    if trained:
        n = subject.n_rows
        said = Said(np.zeros((n, 2)), np.zeros(n))
        evidence.put("one", OneModel(None, said, None, 0.01, np.empty(0), np.empty((0, n))))
    return evidence
