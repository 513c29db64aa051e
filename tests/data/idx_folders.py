"""Folders with a few images in MNIST's own format."""

import gzip
from pathlib import Path

import numpy as np

from overparam.data.idx import idx_header

N_TRAIN, N_TEST = 20, 10


def few_images() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        "train-images-idx3-ubyte": generator.integers(0, 256, (N_TRAIN, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(N_TRAIN, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte": generator.integers(0, 256, (N_TEST, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.arange(N_TEST, dtype=np.uint8) % 10,
    }


def write_idx_files(folder: Path, arrays: dict, suffix: str = "", dotted: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx_header(array.shape) + array.tobytes()
        name = name.replace("-idx", ".idx") if dotted else name
        content = gzip.compress(content) if suffix else content
        (folder / (name + suffix)).write_bytes(content)
