"""Images in a folder: files of IDX or CIFAR, or a folder of pictures for each class.

Pictures lie in ``FOLDER/CLASS/picture.png``, or in ``FOLDER/train/CLASS`` and ``FOLDER/test/CLASS``
(also called val or validation). They become float32 `[n, channels, height, width]` in [0, 1], and
their labels the names of their folders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam.data.entries import catalogue
from overparam.data.loaders import load
from overparam.data.places import find
from overparam.errors import DataError, UsageError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_TRAIN, _TEST = ("train", "training"), ("test", "testing", "val", "validation", "valid")
_MOST_PIXELS = 4_000_000  # of one picture; a header may claim any size
_MOST_BYTES = 8 << 30  # of all of them, as numbers


class ImageFolder(NamedTuple):
    """Training and test images of a folder, as ``(X, y)`` or `Dataset`; and how they were read."""

    train: Any
    test: Any
    notes: tuple[str, ...] = ()


def read_image_folder(folder: str | Path) -> ImageFolder:
    """Return the images of a folder; the test part is None where there is none.

    Raises:
        UsageError: pictures need Pillow, which is not installed.
        DataError: no images, one class only, classes that differ between the parts, or pictures
        that cannot be read.
    """
    place = Path(folder)
    for entry in catalogue():
        if not entry.embedded and find(entry, place) is not None:
            note = f"the files are named as those of {entry.name}; checksums were not asked for"
            return ImageFolder(*load(entry.name, place, verify=False), (note,))
    parts = {child.name.lower(): child for child in _folders(place)}
    train = next((parts[name] for name in _TRAIN if name in parts), None)
    test = next((parts[name] for name in _TEST if name in parts), None)
    if train is None:
        train, test = place, None
    images, labels, shape, notes = _read_classes(train, None)
    if test is None:
        return ImageFolder((images, labels), None, notes)
    images_test, labels_test, _, more = _read_classes(test, shape)
    return ImageFolder((images, labels), (images_test, labels_test), (*notes, *more))


def _read_classes(
    folder: Path, shape: tuple[int, int, int] | None
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int], tuple[str, ...]]:
    """Return pictures, names of their folders, and their shape (channels, height, width)."""
    files = [(path, child.name) for child in _folders(folder) for path in _pictures(child)]
    if len({name for _, name in files}) < 2:
        raise DataError(
            f"{folder} holds no images of at least two classes",
            got=f"{len(files)} pictures in {len({name for _, name in files})} folders",
            allowed="files of IDX or CIFAR, or a folder of pictures for each class "
            f"({', '.join(PICTURES)})",
        )
    pictures = [_opened(path) for path, _ in files]
    if shape is None:
        shapes = Counter(picture.shape[1:] for picture in pictures)
        channels = max(picture.shape[0] for picture in pictures)
        shape = (channels, *shapes.most_common(1)[0][0])
    if len(pictures) * np.prod(shape) * 4 > _MOST_BYTES:
        raise DataError(
            "the pictures are too many or too large to be held at once",
            got=f"{len(pictures):,} of {shape[1]} x {shape[2]}",
            remedy="make them smaller first",
        )
    others = sum(picture.shape[1:] != shape[1:] for picture in pictures)
    notes = (
        (f"{others:,} of {len(pictures):,} pictures in {folder} have another size than "
         f"{shape[2]} x {shape[1]} and were scaled to it",) if others else ()
    )  # fmt: skip
    images = np.stack([_as_shape(picture, shape) for picture in pictures])
    return images.astype(np.float32) / 255, np.array([name for _, name in files]), shape, notes


def _opened(path: Path) -> np.ndarray:
    """Return a picture as uint8 `[channels, height, width]`, one channel of grey or three."""
    image = _pillow()
    try:
        with image.open(path) as held:
            if held.width * held.height > _MOST_PIXELS:
                raise ValueError(f"{held.width} x {held.height} pixels")
            grey = held.mode in ("1", "L", "I", "I;16", "F")
            pixels = np.asarray(held.convert("L" if grey else "RGB"), np.uint8)
    except Exception as error:  # bytes of any kind
        said = (str(error).splitlines() or [""])[0][:120]
        raise DataError(
            f"{path} cannot be read as a picture", got=f"{type(error).__name__}: {said}"
        ) from None
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _as_shape(picture: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    channels, height, width = shape
    if picture.shape[1:] != (height, width):
        image = _pillow()
        scaled = [image.fromarray(plane).resize((width, height)) for plane in picture]
        picture = np.stack([np.asarray(plane, np.uint8) for plane in scaled])
    if len(picture) == channels:
        return picture
    return np.repeat(picture, channels, axis=0) if len(picture) == 1 else picture.mean(0)[None]


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise UsageError(
            "folders of pictures need Pillow, which is not installed",
            remedy="pip install pillow, or give the images as arrays in a .npz file",
        ) from None
    return Image


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def _pictures(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES and path.is_file():
            yield path
