"""Out-of-sample probabilities: brute force, NaN, blocks, what is no probability."""

import numpy as np
import pytest
import torch

from overparam.errors import DataError
from overparam.measures import out_of_sample_probabilities, subset_arrays


def world(seed=0, n_models=7, n_rows=20, n_classes=3):
    rng = np.random.default_rng(seed)
    masks = rng.random((n_models, n_rows)) < 0.6
    return masks, rng.dirichlet(np.ones(n_classes), (n_models, n_rows))


def test_by_loop():
    masks, said = world()
    found = out_of_sample_probabilities(masks, said)
    for row in range(20):
        unseen = [said[k, row] for k in range(7) if not masks[k, row]]
        assert found.n_out[row] == len(unseen)
        if unseen:
            np.testing.assert_allclose(found.probabilities[row], np.mean(unseen, 0), rtol=1e-12)
        if len(unseen) > 1:
            error = np.std(unseen, 0, ddof=1) / np.sqrt(len(unseen))
            np.testing.assert_allclose(found.standard_error[row], error, rtol=1e-9)
        else:
            assert np.isnan(found.standard_error[row]).all()
    own = out_of_sample_probabilities(masks, said[:, :, 1])
    np.testing.assert_allclose(own.probabilities, found.probabilities[:, 1], rtol=1e-12)
    np.testing.assert_allclose(own.standard_error, found.standard_error[:, 1], rtol=1e-12)


def test_known_rows_still_sum_to_1_and_rows_always_in_are_nan():
    masks, said = world()
    masks[:, 4] = True
    found = out_of_sample_probabilities(masks, said)
    known = found.n_out > 0
    np.testing.assert_allclose(found.probabilities[known].sum(1), 1, rtol=1e-12)
    assert np.isnan(found.probabilities[4]).all()
    assert (found.n_out[4], found.n_missing[4]) == (0, 0)


def test_a_diverged_model_is_left_out():
    masks, said = world()
    said[2] = np.nan
    said[3, 5, 0] = np.nan
    found = out_of_sample_probabilities(masks, said)
    rest = [0, 1, 4, 5, 6]
    without = out_of_sample_probabilities(masks[rest], said[rest])
    np.testing.assert_allclose(found.probabilities[5], without.probabilities[5], rtol=1e-12)
    assert found.n_missing[5] == (~masks[2:4, 5]).sum()


def test_blocks_half_precision_and_tensors(monkeypatch):
    masks, said = world()
    whole = out_of_sample_probabilities(masks, said)
    monkeypatch.setattr(subset_arrays, "_BLOCK_BYTES", 8 * 7 * 3 * 4)  # four rows at a time
    pieces = out_of_sample_probabilities(torch.from_numpy(masks), torch.from_numpy(said))
    np.testing.assert_allclose(pieces.probabilities, whole.probabilities, rtol=1e-12)
    halves = out_of_sample_probabilities(masks, torch.from_numpy(said).half())
    np.testing.assert_allclose(halves.probabilities, whole.probabilities, atol=1e-3)


MASKS, SAID = world()


@pytest.mark.parametrize(
    ("masks", "said", "words"),
    [
        (MASKS, SAID[:, :5], "not of the same models and rows"),
        (MASKS, SAID[0, 0], "probabilities has a wrong shape"),
        (MASKS, np.log(SAID), "probabilities lie outside"),
        (MASKS, SAID[:, :, 0] * 40, "if these are logits"),
        (MASKS, SAID / 2, "do not sum to 1"),
        (np.ones_like(MASKS), SAID, "no row was left out"),
        (MASKS, np.full_like(SAID, np.nan), "no row was left out"),
    ],
)
def test_wrong_data(masks, said, words):
    with pytest.raises(DataError, match=words):
        out_of_sample_probabilities(masks, said)
