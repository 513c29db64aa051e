"""Weights from a file that holds numbers and no code: safetensors, or PyTorch's weights alone.

A safetensors file is the length of a header (8 bytes), the header (JSON: name to type, shape and
place of each tensor), and the numbers. It is read here, since that is all there is to it. PyTorch's
files are read with ``weights_only``, so that nothing of them is run.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from overparam.errors import DataError, ResourceError, UsageError
from overparam.models.targets import blaming
from overparam.training.copies import copy_module

SAFETENSORS = ".safetensors"
TORCH = (".pt", ".pth", ".ckpt", ".bin")
PICKLES = (".pkl", ".pickle", ".joblib", ".sav", ".dill", ".cloudpickle")
_MOST_HEADER_BYTES = 100_000_000  # as the format itself has it
_INSIDE = ("state_dict", "model_state_dict", "model", "state")  # where checkpoints keep weights
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def with_weights(module: nn.Module, path: str | Path) -> nn.Module:
    """Return a copy of a module with the weights of a file.

    Raises:
        DataError: no such file, or one that cannot be read. UsageError: a pickle, another kind of
        file, or weights of another module. ResourceError: the file is there but not to be read.
    """
    state = read_weights(path)
    made = copy_module(module)
    known = dict(made.state_dict())
    for name in sorted({*known, *state}):
        have, need = state.get(name), known.get(name)
        if have is None or need is None or have.shape != need.shape:
            raise UsageError(
                f"the weights in {path} are not those of this network: {name!r} differs",
                got="none" if have is None else list(have.shape),
                allowed="none" if need is None else list(need.shape),
                remedy="name the architecture that was trained, with its sizes",
            )
    with blaming(str(path)):
        made.load_state_dict(state)
    return made


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return name to tensor of a file; errors as in `with_weights`."""
    place = Path(path)
    refuse_pickle(place)
    if place.suffix.lower() not in (SAFETENSORS, *TORCH):
        raise UsageError(
            "this is no file of weights", got=str(path), allowed=", ".join((SAFETENSORS, *TORCH))
        )
    try:
        if place.suffix.lower() == SAFETENSORS:
            return _of_safetensors(place)
        return _of_torch(place)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror or error}") from None


def refuse_pickle(path: str | Path, option: str = "--fitted") -> None:
    """Refuse a file whose loading would run whatever is in it.

    Raises:
        UsageError: it is a pickle or of joblib, by its name.
    """
    place = Path(path)
    if place.suffix.lower() in PICKLES:
        raise UsageError(
            "a pickle or joblib file is a program, and is never loaded",
            got=str(path),
            allowed="safetensors or weights of PyTorch, module:object or file.py:object",
            remedy="write a function that makes the model, or that loads the file if you trust it, "
            f"and name it: {option} my_models.py:make",
        )


def _of_safetensors(path: Path) -> dict[str, Tensor]:
    content = path.read_bytes()
    try:
        (n,) = struct.unpack("<Q", content[:8])
        if n > min(_MOST_HEADER_BYTES, len(content) - 8):
            raise ValueError(f"a header of {n} bytes")
        header = json.loads(content[8 : 8 + n])
        numbers = memoryview(bytearray(content[8 + n :]))
        return {
            str(name): _tensor(entry, numbers)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except Exception as error:  # bytes of any kind
        said = (str(error).splitlines() or [""])[0][:120]
        raise DataError(
            f"{path} is no file of safetensors, or is damaged: {type(error).__name__} {said}"
        ) from None


def _tensor(entry: Mapping[str, Any], numbers: memoryview) -> Tensor:
    kind, shape, (start, end) = _TYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
    size = kind.itemsize * math.prod(shape)
    if not 0 <= start <= end <= len(numbers) or end - start != size or min(shape, default=0) < 0:
        raise ValueError(f"{end - start} bytes for a tensor of {size}")
    if not size:
        return torch.empty(shape, dtype=kind)
    return torch.frombuffer(numbers[start:end], dtype=kind).reshape(shape).clone()


def _of_torch(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # code in it, or bytes of any kind
            said = (str(error).splitlines() or [""])[0][:120]
            raise DataError(
                f"{path} holds more than weights, or is damaged: {type(error).__name__} {said}",
                remedy="write it anew with torch.save(model.state_dict(), path)",
            ) from None
    inside = [content, *(content.get(k) for k in _INSIDE if isinstance(content, Mapping))]
    for found in inside:
        if (
            isinstance(found, Mapping)
            and found
            and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
        ):
            return dict(found)
    raise DataError(
        f"{path} holds no weights by their names",
        got=type(content).__name__,
        allowed="what torch.save(model.state_dict(), path) writes",
    )
