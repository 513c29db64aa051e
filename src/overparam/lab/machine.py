"""What machine this is: cores, memory, processor, versions, devices."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from overparam.cache import cache_home
from overparam.errors import ResourceError


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the physical memory in bytes; 0 where it cannot be known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


@cache
def processor_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


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


def choices_file() -> Path:
    """Return this machine's file of measured choices: one per processor and PyTorch version."""
    kind = f"{processor_name()} {available_cores()} {metadata.version('torch')}"
    return cache_home() / f"choices-{hashlib.sha256(kind.encode()).hexdigest()[:12]}.json"


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
