"""The embedded sets: checksums, counts, and that training and test rows are apart."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from overparam.data import embedded_sets, load, load_embedded
from overparam.data.entries import EMBEDDED_FOLDER, catalogue, entry_of
from overparam.errors import DataError, UsageError

NAMES = [entry.name for entry in catalogue() if entry.embedded]


@pytest.mark.parametrize("name", NAMES)
def test_counts_shapes_and_range(name):
    entry = entry_of(name)
    train, test = load_embedded(name)
    assert (len(train), len(test)) == (entry.n_train, entry.n_test)
    for part in (train, test):
        assert part.input_shape == entry.input_shape
        assert part.inputs.dtype == torch.float32
        assert (float(part.inputs.min()), float(part.inputs.max())) == (0.0, 1.0)
        assert part.n_classes == 10
        assert (part.source, part.licence) == (entry.source, entry.licence)
    assert (train.name, test.name) == (f"{name}/train", f"{name}/test")


@pytest.mark.parametrize("name", NAMES)
def test_all_callers_share_one_copy(name):
    assert load_embedded(name)[0] is load(name)[0]
    train, test = load_embedded(name)
    assert train.inputs.data_ptr() == train.base.data_ptr()  # no copy for the whole set
    assert train.base.untyped_storage().nbytes() == train.base.nbytes  # nor the other part's bytes
    assert test.base.untyped_storage().nbytes() == test.base.nbytes


@pytest.mark.parametrize("name", ["fashion_mnist_small", "mnist_small"])
def test_every_ten_rows_hold_each_class_once(name):
    for part in load_embedded(name):
        rounds = part.labels.reshape(-1, 10).sort(1).values
        assert (rounds == torch.arange(10)).all()


@pytest.mark.parametrize("name", ["fashion_mnist_small", "mnist_small"])
def test_no_image_twice(name):
    images = torch.cat([part.inputs for part in load_embedded(name)])
    digests = {hashlib.sha256(image.numpy().tobytes()).digest() for image in images}
    assert len(digests) == len(images)


def test_classes_can_be_learned():
    """Labels belong to their images: nearest class mean, far from the 0.9 error of chance."""
    for name, most in (("fashion_mnist_small", 0.4), ("mnist_small", 0.35), ("digits", 0.2)):
        train, test = load_embedded(name)
        inputs = train.inputs.flatten(1)
        means = torch.stack([inputs[train.labels == k].mean(0) for k in range(10)])
        nearest = torch.cdist(test.inputs.flatten(1), means).argmin(1)
        assert (nearest != test.labels).float().mean() < most


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    ours = torch.cat([part.inputs for part in load_embedded("digits")]).flatten(1) * 16
    theirs = torch.tensor(load_digits().data, dtype=torch.float32)
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))


def test_size_and_licences():
    files = list(EMBEDDED_FOLDER.iterdir())
    assert sum(file.stat().st_size for file in files) < 4_000_000
    text = (EMBEDDED_FOLDER / "LICENSES.md").read_text()
    for entry in catalogue():
        for file in entry.files:
            assert (EMBEDDED_FOLDER / file.name) in files
            assert file.name.split("-")[0] in text
    assert "CC BY-SA 3.0" in text
    assert "Copyright © 2017 Zalando SE" in text


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    file = entry_of("mnist_small").files[1]
    content = bytearray((EMBEDDED_FOLDER / file.name).read_bytes())
    content[-1] ^= 1
    (tmp_path / file.name).write_bytes(content)
    monkeypatch.setattr(embedded_sets, "EMBEDDED_FOLDER", tmp_path)
    with pytest.raises(DataError, match=r"wrong SHA-256.*install overparam again"):
        embedded_sets._read(file)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        embedded_sets._read(replace(file, name="absent"))


@pytest.mark.parametrize("name", ["mnist_smal", "mnist", ""])
def test_only_embedded_names(name):
    with pytest.raises(UsageError, match="unknown embedded data set"):
        load_embedded(name)


def test_the_catalogue_needs_no_torch():
    code = (
        "import sys, overparam.data as data; data.catalogue(); data.where('mnist'); data.fetch;"
        "dir(data); sys.exit(any(heavy in sys.modules for heavy in ('torch', 'scipy', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there():
    import overparam.data as data

    for name in data.__all__:
        assert getattr(data, name).__doc__
    assert sorted(data._MODULE_OF) == sorted(data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        data.lode  # noqa: B018


@pytest.mark.fulldata
def test_the_files_can_be_made_again():
    if not os.environ.get("OVERPARAM_DATA"):
        pytest.skip("OVERPARAM_DATA is not set")
    path = Path(__file__).parents[2] / "tools" / "make_embedded_data.py"
    spec = importlib.util.spec_from_file_location("make_embedded_data", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for small, full in tool.SETS.items():
        for name, content in tool.make_files(small, full).items():
            assert content == (EMBEDDED_FOLDER / name).read_bytes()
