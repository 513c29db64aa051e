import numpy as np
import pytest
import torch

from overparam.errors import UsageError
from overparam.measures.image_maps import (
    constant_targets,
    correlation,
    edges,
    is_blank,
    likeness,
    score_map,
)


def test_correlation_agrees_with_numpy():
    a, b = torch.randn(5, 1, 6, 6).double(), torch.randn(5, 1, 6, 6).double()
    expected = [np.corrcoef(x.flatten(), y.flatten())[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(correlation(a, b), expected, rtol=1e-12)


@pytest.mark.parametrize(("gain", "shift", "expected"), [(2, 5, 1), (-0.1, 3, -1)])
def test_correlation_ignores_gain_and_shift(gain, shift, expected):
    a = torch.rand(4, 1, 5, 5).double()
    torch.testing.assert_close(
        correlation(a, gain * a + shift), torch.full((4,), float(expected)).double()
    )


def test_blank_and_broken_outputs():
    a = torch.rand(3, 4)
    b = a.clone()
    b[0] = 0.7
    b[1, 2] = torch.nan
    found = correlation(b, a)
    assert found[0] == 0
    assert found[1].isnan()
    assert found[2] == pytest.approx(1)
    assert correlation(b[:2], b[:2].flip(0)).isnan().all()  # blank against broken


def test_preference_of_the_two_maps_is_one_and_minus_one_whatever_the_input():
    inputs, training = torch.rand(20, 1, 8, 8), torch.rand(1, 1, 8, 8)
    identity = score_map(inputs, inputs, training)
    constant = score_map(training.expand_as(inputs), inputs, training)
    torch.testing.assert_close(identity.preference, torch.ones(20).double())
    torch.testing.assert_close(constant.preference, -torch.ones(20).double())
    torch.testing.assert_close(identity.constant_correlation, identity.baseline)
    torch.testing.assert_close(constant.identity_correlation, identity.baseline)
    assert identity.identity_mse.max() == 0
    assert constant.constant_mse.max() == 0


def test_likeness_is_one_of_a_map_with_itself_and_zero_of_the_other():
    inputs, training = torch.rand(20, 1, 8, 8), torch.rand(1, 1, 8, 8)
    one, none = torch.ones(20).double(), torch.zeros(20).double()
    identity = score_map(inputs, inputs, training)
    constant = score_map(training.expand_as(inputs), inputs, training)
    torch.testing.assert_close(identity.identity_likeness, one)
    torch.testing.assert_close(identity.constant_likeness, none)
    torch.testing.assert_close(constant.constant_likeness, one)
    torch.testing.assert_close(constant.identity_likeness, none)


@pytest.mark.parametrize(
    ("outputs", "preference"),
    [
        (lambda x, t: (1 - t).expand_as(x), 1),
        (lambda x, t: 1 - x, -1),
        (lambda x, t: torch.zeros_like(x), 0),
    ],
)
def test_maps_of_a_preference_that_are_like_neither_target(outputs, preference):
    """The preference of a map is that of the other map's negative."""
    inputs, training = torch.rand(20, 1, 8, 8), torch.rand(1, 1, 8, 8)
    found = score_map(outputs(inputs, training), inputs, training)
    torch.testing.assert_close(found.preference, torch.full((20,), float(preference)).double())
    # Random images have correlations of some tenths.
    assert (found.identity_likeness < 0.5).all()
    assert (found.constant_likeness < 0.5).all()


def test_likeness_asks_for_both_correlations():
    c = torch.tensor([0.9, 0.9, 0.6, 0.4])
    other = torch.tensor([0.2, -0.4, 0.2, 0.2])
    found = likeness(c, other, torch.tensor(0.2))
    torch.testing.assert_close(found, torch.tensor([0.875, 0.25, 0.5, 0.25]))
    assert likeness(torch.tensor(1.0), torch.tensor(1.0), torch.tensor(1.0)).isnan()
    assert likeness(torch.tensor(torch.nan), torch.tensor(0.2), torch.tensor(0.2)).isnan()


def test_blank_is_what_shows_nothing_at_any_brightness():
    images = torch.zeros(4, 1, 3, 3)
    images[1], images[2], images[3, 0, 0, 0] = 7.0, torch.rand(1, 3, 3), torch.nan
    assert is_blank(images).tolist() == [True, True, False, False]


def test_no_preference_where_the_input_is_the_training_image():
    image = torch.rand(1, 1, 8, 8)
    assert score_map(image, image, image).preference.isnan().all()


def test_an_edge_detector_has_edge_score_one():
    inputs = torch.rand(4, 2, 8, 8).double()
    found = score_map(edges(inputs), inputs, inputs[:1])
    torch.testing.assert_close(found.edge_score, torch.ones(4).double())


def test_edges_of_a_step():
    step = torch.zeros(1, 1, 5, 6)
    step[..., 3:] = 1
    assert edges(step)[0, 0, 2].tolist() == [0, 0, 0.5, 0.5, 0, 0]


def test_targets_of_one_some_and_many_images():
    images = torch.rand(30, 1, 4, 4)
    assert torch.equal(constant_targets(images[:1]), images[:1])
    assert torch.equal(constant_targets(images[:3])[:3], images[:3])
    torch.testing.assert_close(constant_targets(images[:3])[3], images[:3].mean(0))
    torch.testing.assert_close(constant_targets(images), images.mean(0, keepdim=True))


def test_of_several_training_images_the_nearest_counts():
    training, inputs = torch.rand(3, 1, 6, 6), torch.rand(5, 1, 6, 6)
    found = score_map(training[1].expand_as(inputs), inputs, training)
    torch.testing.assert_close(found.constant_correlation, torch.ones(5).double())


@pytest.mark.parametrize("shapes", [((2, 4), (3, 4), (1, 4)), ((2, 4), (2, 4), (1, 5)),
                                    ((2, 4), (2, 4), (0, 4))])  # fmt: skip
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(UsageError, match="do not fit together"):
        score_map(*(torch.rand(s) for s in shapes))
