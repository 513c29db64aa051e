"""What a study says of the machine it ran on: hardware, versions, devices."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from overparam.errors import ResourceError
from overparam.machine import available_cores, memory_bytes, processor_name


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, memory and system."""
    return {
        "cpu": processor_name(),
        "cores": available_cores(),
        "memory_bytes": memory_bytes(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def describe_versions() -> dict[str, str]:
    """Return the versions on which numbers can depend."""
    from overparam.training.native.build import describe_compiler

    names = ("overparam", "torch", "numpy", "scipy", "scikit-learn")
    versions = {"python": platform.python_version()} | {n: metadata.version(n) for n in names}
    return versions | {"C compiler": describe_compiler()}


def find_device(name: str) -> str:
    """Return the device that `name` (auto, cpu, cuda) means here.

    Raises:
        ResourceError: cuda was asked for and there is none.
    """
    if name == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ResourceError(
            "there is no CUDA device that PyTorch can use",
            got=name,
            allowed="cpu",
            remedy="use --device cpu or install a CUDA build",
        )
    return "cpu"
