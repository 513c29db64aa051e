"""Whether compiled kernels must work here: a test is skipped only where they cannot exist."""

import pytest

from overparam.training.native.build import Kernels, NativeUnavailable, find_compiler, load_library
from overparam.training.native.models import DENSE


def need_compiled(precision: str = "float32", kernels: Kernels = DENSE) -> None:
    """Skip the test without a compiler, or a processor for the precision; fail if it is broken."""
    try:
        find_compiler()
    except NativeUnavailable as error:
        pytest.skip(str(error))
    try:
        load_library(kernels, precision)
    except NativeUnavailable as error:
        if precision != "bfloat16" or "no products of bfloat16" not in str(error):
            raise
        pytest.skip(str(error))
