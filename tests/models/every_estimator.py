"""Every estimator of scikit-learn, fitted on tiny data."""

import warnings

import numpy as np
import pytest
from sklearn.utils import all_estimators

D, K = 4, 3

every_estimator = pytest.mark.parametrize(
    ("name", "kind"), all_estimators(), ids=lambda v: v if type(v) is str else ""
)


def fitted_or_skip(kind):
    """Return one instance of an estimator's class, fitted on tiny data of the form it takes.

    Raises:
        SkipTest: scikit-learn makes none of it, such as of `FrozenEstimator`, which needs another.
    """
    from sklearn.utils._test_common.instance_generator import _construct_instances

    rng = np.random.default_rng(0)
    x = np.abs(rng.standard_normal((24, D))) + 0.1
    y = np.arange(24) % K
    both = np.c_[y > 0, y > 1].astype(int)
    texts = np.array(["a b c", "b c d"] * 12)
    tries = [(x, y), (x, x[:, 0]), (x[:, 0], x[:, 1]), (x, x[:, :2]), (x, y > 0), (texts,)]
    tries += [(list(texts),), (x, both), ([{"a": 1.0}],)]
    for estimator in _construct_instances(kind):
        for arguments in tries:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return estimator.fit(*arguments)
            except Exception:  # it takes data of another form
                continue
    return pytest.skip("it takes data of a form that is not tried")
