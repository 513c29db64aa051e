import numpy as np
import pytest
import torch

from overparam.errors import UsageError
from overparam.measures.layer_reading import input_dependence, read_off, visible_shape


def images(n, *shape, seed=0):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_layer_that_shows_its_input_at_any_scale():
    x = images(6, 5, 5)
    gain = torch.tensor([0.1, 1, 2, 3, 40, 5]).double()[:, None, None]
    torch.testing.assert_close(visible_shape(gain * x, x), torch.ones(6).double())


def test_a_layer_that_shows_the_same_frame_whatever_the_input():
    x, frame = images(6, 5, 5), images(1, 5, 5, seed=1)
    mixed = frame + 0 * x
    assert visible_shape(mixed, x).abs().max() == 0


def test_what_all_inputs_share_counts_for_nothing():
    x, frame = images(40, 6, 6), 5 * images(1, 6, 6, seed=1)
    # A frame over the input leaves its own part; unrelated images have none.
    assert visible_shape(x + frame, x).mean() > 0.8
    assert visible_shape(images(40, 6, 6, seed=2) + frame, x).mean().abs() < 0.1


def test_dependence_by_hand():
    assert input_dependence(torch.ones(3, 4)) == pytest.approx(0)
    assert input_dependence(torch.eye(4)) == pytest.approx(3 / 4)
    assert np.isnan(input_dependence(torch.zeros(2, 2)))


@pytest.mark.parametrize("probe", ["layer", "pixel"])
def test_a_linear_layer_is_read_off_whole(probe):
    fit, new = images(200, 1, 4, 4), images(30, 1, 4, 4, seed=1)
    gains = torch.tensor([2.0, -1.0, 0.5]).double()[None, :, None, None]
    found = read_off(gains * fit, fit, gains * new, new, probe=probe, noise=1e-6)
    assert found == pytest.approx(1, abs=1e-6)


def test_a_layer_without_its_input_reads_no_more_than_the_mean():
    fit, new = images(500, 1, 3, 3), images(200, 1, 3, 3, seed=1)
    noise, other = images(500, 9, seed=2), images(200, 9, seed=3)
    assert abs(read_off(noise, fit, other, new)) < 0.1


def test_neighbours_help_the_layer_probe_alone():
    fit, new = images(300, 1, 4, 4), images(50, 1, 4, 4, seed=1)
    shifted = [v.roll(1, -1) for v in (fit, new)]
    assert read_off(shifted[0], fit, shifted[1], new, probe="layer") > 0.99
    assert read_off(shifted[0], fit, shifted[1], new, probe="pixel") < 0.1


def test_ridge_against_its_normal_equations():
    fit, new = images(20, 1, 3, 3), images(6, 1, 3, 3, seed=1)
    a, b = images(20, 7, seed=2), images(6, 7, seed=3)
    noise = 0.3
    penalty = 20 * noise**2 * a.square().mean()
    center, mean = a.mean(0), fit.mean(0)
    weights = torch.linalg.solve(
        (a - center).T @ (a - center) + penalty * torch.eye(7).double(),
        (a - center).T @ (fit - mean).flatten(1),
    )
    error = (new - mean).flatten(1) - (b - center) @ weights
    expected = 1 - error.square().sum() / (new - mean).square().sum()
    assert read_off(a, fit, b, new, noise=noise) == pytest.approx(expected.item(), rel=1e-10)


def test_more_noise_reads_less():
    fit, new = images(100, 1, 4, 4), images(30, 1, 4, 4, seed=1)
    mix = images(16, 16, seed=2)
    a, b = fit.flatten(1) @ mix, new.flatten(1) @ mix
    found = [read_off(a, fit, b, new, noise=s) for s in (1e-6, 1e-2, 1)]
    assert found[0] > found[1] > found[2]


def test_refusals():
    x = images(4, 1, 4, 4)
    with pytest.raises(UsageError, match="a pixel probe needs maps of the input's size"):
        read_off(x.flatten(1), x, x.flatten(1), x, probe="pixel")
    with pytest.raises(UsageError, match="probe"):
        read_off(x, x, x, x, probe="word")
    with pytest.raises(UsageError, match="noise"):
        read_off(x, x, x, x, noise=0)
    with pytest.raises(UsageError, match="images and inputs do not fit"):
        visible_shape(x[:, 0], x)
