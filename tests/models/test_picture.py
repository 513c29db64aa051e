"""The picture of a network: well-formed, every node and edge there, signs and sizes right."""

import warnings
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier
from torch import nn

from overparam.errors import UsageError
from overparam.models import convnet5, mlp, network_picture
from overparam.models.picture import NEGATIVE, NEUTRAL, POSITIVE, THICKEST

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg, tag):
    return list(ElementTree.fromstring(svg).iter(SVG + tag))


def texts(svg):
    return [node.text for node in parts(svg, "text")]


def test_every_unit_and_weight_is_drawn():
    svg = network_picture([3, 5, 2])
    assert (len(parts(svg, "circle")), len(parts(svg, "line"))) == (10, 3 * 5 + 5 * 2)
    assert {line.get("stroke") for line in parts(svg, "line")} == {NEUTRAL}
    assert parts(svg, "title")[0].text == "Fully connected network 3-5-2"
    assert {"input", "hidden 1", "output"} <= set(texts(svg))


def test_sign_and_magnitude():
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, -1.0]]))
    strong, weak = parts(network_picture(layer), "line")
    assert (strong.get("stroke"), weak.get("stroke")) == (POSITIVE, NEGATIVE)
    assert float(strong.get("stroke-width")) == THICKEST > float(weak.get("stroke-width"))
    assert strong.get("stroke-dasharray") is None
    assert weak.get("stroke-dasharray")
    assert "orange" in parts(network_picture(layer), "desc")[0].text


def test_large_layers_are_abbreviated():
    svg = network_picture(
        [784, 4, 10], max_units=5, input_labels=["first"] + ["x"] * 782 + ["last"]
    )
    assert len(parts(svg, "circle")) == 4 + 4 + 4  # two of five places in the large ones: ellipses
    assert texts(svg).count("⋮") == 2
    assert {"first", "last", "784", "10"} <= set(texts(svg))
    assert len(parts(svg, "line")) == 4 * 4 + 4 * 4


def test_everything_lies_inside():
    root = ElementTree.fromstring(network_picture([40, 40, 40], max_units=40, height=200))
    for circle in root.iter(SVG + "circle"):
        y, r = float(circle.get("cy")), float(circle.get("r"))
        assert 0 <= y - r <= y + r <= 200


def test_a_shape_without_weights_is_grey():
    lines = parts(network_picture(mlp(2, 3, 1)), "line")
    assert {line.get("stroke") for line in lines} == {NEUTRAL}
    assert len(lines) == 9


def test_scikit_learn_network():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier((3,), max_iter=2).fit(np.eye(4), [0, 1, 0, 1])
    lines = parts(network_picture(model), "line")
    assert len(lines) == 4 * 3 + 3 * 1
    first = POSITIVE if model.coefs_[0][1, 0] > 0 else NEGATIVE  # second input, first hidden unit
    assert lines[1].get("stroke") == first


def test_labels_are_escaped_and_the_title_kept():
    svg = network_picture([1, 1], output_labels=["a < b & c"], title="<net>")
    assert "a < b & c" in texts(svg)
    assert parts(svg, "title")[0].text == "<net>"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (convnet5(2), "not fully connected.*Conv2d"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1)), "do not form a chain"),
        (nn.ReLU(), "at least two layers"),
        ([3], "at least two layers"),
        ([3, 0], "layer size is out of range"),
        ("3-2", "cannot draw this object"),
    ],
)
def test_what_cannot_be_drawn(target, words):
    with pytest.raises(UsageError, match=words):
        network_picture(target)


@pytest.mark.parametrize("name", ["max_units", "width", "height"])
def test_sizes_out_of_range(name):
    with pytest.raises(UsageError, match=f"{name} is out of range"):
        network_picture([2, 1], **{name: 2})
