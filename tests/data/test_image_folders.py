"""Images in folders: IDX under MNIST's names, a folder for each class, and what is no image."""

import gzip
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from overparam.data.image_folders import read_image_folder
from overparam.errors import DataError, UsageError


def write_idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_idx_files_under_the_usual_names(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 12), ("t10k", 6)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", np.arange(n, dtype=np.uint8) % 3)
    found = read_image_folder(tmp_path)
    assert (len(found.train), len(found.test)) == (12, 6)
    assert found.train.input_shape == (1, 28, 28)
    assert "checksums were not asked for" in found.notes[0]


class Picture:
    """Stands in for a picture of Pillow, which reads an array that NumPy saved."""

    def __init__(self, array):
        self.array = array
        self.height, self.width = array.shape[:2]
        self.mode = "L" if array.ndim == 2 else "RGB"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)

    def convert(self, mode):
        return self

    def resize(self, size):
        return Picture(np.full((size[1], size[0]), int(self.array.mean()), np.uint8))


@pytest.fixture
def pillow(monkeypatch):
    image = SimpleNamespace(
        open=lambda path: Picture(np.load(path, allow_pickle=False)), fromarray=Picture
    )
    monkeypatch.setitem(sys.modules, "PIL", SimpleNamespace(Image=image))


def put(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        np.save(file, array)


def grey(value, height=4, width=5):
    return np.full((height, width), value, np.uint8)


def test_a_folder_for_each_class(tmp_path, pillow):
    for i in range(3):
        put(tmp_path / "cat" / f"{i}.png", grey(10 * i))
        put(tmp_path / "dog" / "old" / f"{i}.PNG", grey(100 + i))
    put(tmp_path / ".cache" / "x.png", grey(0))
    (tmp_path / "dog" / "notes.txt").write_text("mine")
    X, y = read_image_folder(tmp_path).train
    assert X.shape == (6, 1, 4, 5)
    assert X.dtype == np.float32
    assert y.tolist() == ["cat"] * 3 + ["dog"] * 3
    np.testing.assert_allclose(X[:, 0, 0, 0] * 255, [0, 10, 20, 100, 101, 102], rtol=1e-6)


def test_training_and_test_parts_have_one_shape(tmp_path, pillow):
    for part in ("train", "val"):
        for kind, value in (("cat", 10), ("dog", 200)):
            put(tmp_path / part / kind / "a.png", grey(value))
            put(tmp_path / part / kind / "b.png", grey(value))
    put(tmp_path / "train" / "dog" / "c.png", grey(7, 8, 8))
    put(tmp_path / "train" / "dog" / "d.png", np.full((4, 5, 3), 50, np.uint8))
    found = read_image_folder(tmp_path)
    assert found.train[0].shape == (6, 3, 4, 5)
    assert found.test[0].shape == (4, 3, 4, 5)
    assert "1 of 6 pictures" in found.notes[0]
    assert len(found.notes) == 1


def test_what_is_no_set_of_images_is_refused(tmp_path, pillow):
    with pytest.raises(DataError, match="no images of at least two classes"):
        read_image_folder(tmp_path)
    put(tmp_path / "cat" / "a.png", grey(1))
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "b.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot be read as a picture"):
        read_image_folder(tmp_path)
    put(tmp_path / "dog" / "b.png", np.zeros((3000, 3000), np.uint8))
    with pytest.raises(DataError, match="3000 x 3000 pixels"):
        read_image_folder(tmp_path)


def test_pictures_that_cannot_be_held_are_refused(tmp_path, pillow, monkeypatch):
    monkeypatch.setattr("overparam.data.image_folders._MOST_BYTES", 100)
    put(tmp_path / "cat" / "a.png", grey(1))
    put(tmp_path / "dog" / "a.png", grey(1))
    with pytest.raises(DataError, match="too many or too large"):
        read_image_folder(tmp_path)


def test_pictures_need_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    put(tmp_path / "cat" / "a.png", grey(1))
    put(tmp_path / "dog" / "a.png", grey(1))
    with pytest.raises(UsageError, match="need Pillow"):
        read_image_folder(tmp_path)
