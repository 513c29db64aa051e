"""What a model's outputs say of a row's own label, as one number: logit or margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.reference_models import array_of


def stable_logit(logits: Any, labels: Any) -> np.ndarray:
    """Return the logit of the label's probability, computed from logits.

    phi = log(p_y / (1 - p_y)) = z_y - log sum_{k != y} exp(z_k). Through p it would be infinite as
    soon as p rounds to 1, which is where memorized rows lie. A constant added to all logits
    changes nothing, so log-probabilities do as well; probabilities do not.

    Args:
        logits: z, `[..., n, K]`, K >= 2; leading axes are models. labels: y, `[n]`, 0 ... K - 1.

    Returns:
        float64 `[..., n]`, in nats, above 0 where the label has more than half of the probability.
        A row with NaN gives NaN; a row with -inf at the label alone gives -inf.

    Raises:
        DataError: fewer than two classes, shapes that do not fit, labels outside the classes, or
            rows that look like probabilities (>= 0 with sum 1).

    Cost: O(n K) for each model. Source: Carlini et al. 2022 (arXiv:2112.03570), section VI-B.

    >>> stable_logit(np.array([[2.0, 0.0], [0.0, 800.0]]), np.array([0, 1]))
    array([  2., 800.])
    """
    own, others = _split(logits, labels)
    highest = others.max(-1)
    shift = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):  # logits may be -inf
        return own - (shift + np.log(np.exp(others - shift[..., None]).sum(-1)))


def hinge_margin(logits: Any, labels: Any) -> np.ndarray:
    """Return the label's logit minus the largest of the others.

    h = z_y - max_{k != y} z_k; the row is classified rightly where h > 0. In a network that fits
    its rows it is within log(K - 1) of `stable_logit`, and serves LiRA as well.

    Args:
        logits: z, `[..., n, K]`, K >= 2. labels: y, `[n]`, 0 ... K - 1.

    Returns:
        float64 `[..., n]`, in units of the logits. A row with NaN gives NaN.

    Raises:
        DataError: as in `stable_logit`, rows that look like probabilities included.

    Cost: O(n K) for each model. Source: Carlini et al. 2022 (arXiv:2112.03570), section VI-B.

    >>> hinge_margin(np.array([[2.0, 0.0, 1.5]]), np.array([0]))
    array([0.5])
    """
    own, others = _split(logits, labels)
    return own - others.max(-1)


def _split(logits: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """The label's logit `[..., n]` and the others `[..., n, K - 1]`."""
    check_rows(logits, labels, of="logits")
    z, y = array_of(logits).astype(np.float64), array_of(labels)
    if z.ndim < 2 or y.ndim != 1 or z.shape[-2] != len(y) or z.shape[-1] < 2 or z.size == 0:
        raise DataError(
            "logits and labels do not fit together",
            got=f"{list(z.shape)} and {list(y.shape)}",
            allowed="[..., n, K] and [n], n >= 1, K >= 2",
            remedy="of one output for two classes, make the logits 0 and z",
        )
    n_classes = z.shape[-1]
    if y.dtype.kind not in "iu" or int(y.min()) < 0 or int(y.max()) >= n_classes:
        raise DataError(
            "labels lie outside the logits",
            got=f"{y.dtype} {y.min()}..{y.max()}",
            allowed=f"whole numbers 0..{n_classes - 1}",
        )
    rest = np.arange(n_classes - 1) + (np.arange(n_classes - 1) >= y[:, None])
    own = np.take_along_axis(z, np.broadcast_to(y[:, None], (*z.shape[:-1], 1)), -1)[..., 0]
    others = np.take_along_axis(z, np.broadcast_to(rest, (*z.shape[:-1], rest.shape[1])), -1)
    if _are_probabilities(own, others):
        raise DataError(
            "logits look like probabilities: no entry is negative and every row sums to 1",
            allowed="logits, or logarithms of probabilities",
            remedy="take np.log of them, or better give the logits",
        )
    return own, others


def _are_probabilities(own: np.ndarray, others: np.ndarray) -> bool:
    total = own + others.sum(-1)
    return bool((own >= 0).all() and (others >= 0).all() and np.allclose(total, 1, atol=1e-3))
