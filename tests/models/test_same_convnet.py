"""Counts of image-to-image convolutional networks against the networks themselves."""

from __future__ import annotations

import pytest

from overparam.errors import UsageError
from overparam.models import same_convnet
from overparam.models.convolutional import same_convnet_n_params, same_convnet_width_for


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
@pytest.mark.parametrize("n_channels", [1, 2, 7])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_the_count_is_that_of_the_network(depth, n_channels, kernel_size):
    network = same_convnet(depth, n_channels, kernel_size)
    counted = sum(p.numel() for p in network.parameters())
    assert same_convnet_n_params(depth, n_channels, kernel_size) == counted


@pytest.mark.parametrize("depth", [2, 3, 9])
@pytest.mark.parametrize("n_params", [1, 100, 5_000, 123_456, 10**9])
def test_the_width_is_the_nearest_of_all(depth, n_params):
    found = same_convnet_width_for(n_params, depth, 3)

    def miss(c):
        return abs(same_convnet_n_params(depth, c, 3) - n_params)

    around = range(max(1, found - 50), found + 51)
    assert miss(found) == min(map(miss, around))


def test_the_count_of_the_paper():
    # Zhang et al. 2020, "78M": 5 layers of 5 x 5 filters and 1,024 channels
    assert same_convnet_n_params(5, 1024) == 78_694_400
    assert same_convnet_width_for(78_694_400, 5) == 1024


def test_one_layer_has_no_width():
    with pytest.raises(UsageError, match="whatever its channels"):
        same_convnet_width_for(100, 1)
