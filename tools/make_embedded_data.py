"""Make the files of `src/overparam/data/embedded/` from the full data sets.

    OVERPARAM_DATA=FOLDER python tools/make_embedded_data.py [--to FOLDER] [--check]

The rule, which needs no random numbers and so gives the same rows everywhere: within each class
the rows of a part (``train`` or ``test``) are ordered by the SHA-256 of the text
``NAME/PART/INDEX`` (NAME the full set's name, INDEX the row's position in the original file);
the first n / 10 of each class are taken, passing over an image that equals one taken before.
They are written in rounds: the first of every class (within a round again by that SHA-256), then
the second of every class, and so on. So every prefix of a multiple of ten rows is balanced.

Each set becomes two xz-compressed IDX files, images and labels, training rows first. The files
are the same byte for byte with the same liblzma; the SHA-256 printed at the end are those that
`overparam.data.entries` holds. `--check` writes nothing and fails where a file differs.
"""

from __future__ import annotations

import argparse
import hashlib
import lzma
import sys
from pathlib import Path

import numpy as np

from overparam.data.entries import EMBEDDED_FOLDER, entry_of
from overparam.data.idx import idx_header, read_idx
from overparam.data.places import find, places_to_search

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 0, "pb": 2}]
SETS = {"fashion_mnist_small": "fashion_mnist", "mnist_small": "mnist"}


def main() -> int:
    """Make or check every file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=EMBEDDED_FOLDER)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    n_differing = 0
    for small, full in SETS.items():
        for name, content in make_files(small, full).items():
            path = options.to / name
            if options.check:
                same = path.read_bytes() == content
                n_differing += not same
                print("same  " if same else "DIFFER", name)
                continue
            path.write_bytes(content)
            print(f"{hashlib.sha256(content).hexdigest()}  {name}  {len(content)} bytes")
    return min(n_differing, 1)


def make_files(small: str, full: str) -> dict[str, bytes]:
    """Return name and content of the two files of set `small`, drawn from set `full`."""
    entry = entry_of(small)
    found = next(hit for place, _ in places_to_search() if (hit := find(entry_of(full), place)))
    all_images, all_labels = [], []
    seen: set[bytes] = set()
    parts = (("train", entry.n_train, found.train), ("test", entry.n_test, found.test))
    for part, n_rows, (image_path, label_path) in parts:
        images, labels = read_idx(image_path), read_idx(label_path)
        rows = draw_rows(f"{full}/{part}", images, labels, n_rows, seen)
        all_images.append(images[rows])
        all_labels.append(labels[rows])
    return {
        f"{small}-{kind}-ubyte.xz": lzma.compress(
            idx_header(array.shape) + array.tobytes(), filters=FILTERS, check=lzma.CHECK_SHA256
        )
        for kind, array in (
            ("images-idx3", np.concatenate(all_images)),
            ("labels-idx1", np.concatenate(all_labels)),
        )
    }


def draw_rows(
    prefix: str, images: np.ndarray, labels: np.ndarray, n_rows: int, seen: set[bytes]
) -> np.ndarray:
    """Return `n_rows` row numbers by the rule above; `seen` collects the images taken."""
    keys = [hashlib.sha256(f"{prefix}/{i}".encode()).digest() for i in range(len(labels))]
    classes = np.unique(labels)
    taken: list[list[int]] = [[] for _ in classes]
    for row in sorted(range(len(labels)), key=keys.__getitem__):
        mine = taken[int(np.searchsorted(classes, labels[row]))]
        pixels = images[row].tobytes()
        if len(mine) < n_rows // len(classes) and pixels not in seen:
            mine.append(row)
            seen.add(pixels)
    rounds = [sorted(members, key=keys.__getitem__) for members in zip(*taken, strict=True)]
    return np.array([row for members in rounds for row in members])


if __name__ == "__main__":
    sys.exit(main())
