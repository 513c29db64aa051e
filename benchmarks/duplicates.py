"""How many known near duplicates are found, and how many rows are flagged for it.

CIFAR-10: the test set (10,000) against batch 1 (10,000). Known are the pairs of ciFAIR (Barz,
Denzler 2020, J. Imaging 6, 41; `meta/duplicates_cifar10.csv` of the repository cvjena/cifair): one
training image for a test image, so that more pairs exist than it lists. Beside
`find_near_duplicates`: the nearest image by correlation of pixels, above r = .90. MNIST and
Fashion-MNIST: the first 6,000 training images among themselves. No seconds. OVERPARAM_DATA must
have the three sets.

    python benchmarks/duplicates.py duplicates_cifar10.csv
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np

from overparam.data import load
from overparam.measures import NearDuplicates, find_near_duplicates

BATCH_1 = 10_000
LEAST_R = 0.9
ROWS = 6000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("known", help="duplicates_cifar10.csv of cvjena/cifair")
    with open(parser.parse_args().known, newline="") as file:
        rows = [(int(r["TrainID"]), int(r["TestID"]), r["Judgment"]) for r in csv.DictReader(file)]
    known = {(i, j): kind for i, j, kind in rows if i < BATCH_1}
    folder = Path(os.environ["OVERPARAM_DATA"]) / "cifar-10-batches-bin"
    train, test = (read(folder / f"{part}.bin") for part in ("data_batch_1", "test_batch"))
    found = find_near_duplicates(train, test)
    said(f"CIFAR-10, {len(np.unique(found.pairs[:, 1]))} test rows", found)
    recall("find_near_duplicates", {(i, j) for i, j in found.pairs.tolist()}, known)
    nearest, r = by_pixels(train, test)
    by_r = {(int(nearest[j]), j) for j in np.flatnonzero(r > LEAST_R).tolist()}
    print(f"pixels, r > {LEAST_R}: {len(by_r)} pairs")
    recall(f"pixels, r > {LEAST_R}", by_r, known)
    for name in ("mnist", "fashion_mnist"):
        said(name, find_near_duplicates(load(name)[0].inputs[:ROWS, 0]))


def read(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32)


def by_pixels(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest training row of each test row and its correlation."""
    a, b = (unit(images.reshape(len(images), -1).astype(np.float32)) for images in (train, test))
    blocks = [b[start : start + 500] @ a.T for start in range(0, len(b), 500)]
    return (
        np.concatenate([block.argmax(1) for block in blocks]),
        np.concatenate([block.max(1) for block in blocks]),
    )


def unit(flat: np.ndarray) -> np.ndarray:
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def said(name: str, found: NearDuplicates) -> None:
    planted = ", ".join(f"{kind} {share.rate:.2f}" for kind, share in found.planted.items())
    print(f"{name}: {len(found.pairs)} pairs, {found.expected_false:.1f} rows of chance; {planted}")


def recall(name: str, found: set, known: dict[tuple[int, int], str]) -> None:
    for kind, words in (("1", "near duplicates"), ("2", "very similar")):
        pairs = {pair for pair, judged in known.items() if judged == kind}
        print(f"{name}: {len(pairs & found)} of {len(pairs)} {words}")


if __name__ == "__main__":
    main()
