"""`SETTINGS`: what libraries let a process set, and how it is asked for, put and usual.

How many threads compute is not among them: it is one (see `overparam.threads`).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any

_SHOWS = ("display", "print_changed_only")  # of scikit-learn: how things look
_ENDS = ("raise", "call")  # of what is done about an error: more than a word, or none
_COMPUTE = ("compute", "mode", "future")  # of pandas: the others are how things look
_PRINTED = {  # by NumPy; what is not here is None
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False,
    "linewidth": 75, "nanstr": "nan", "infstr": "inf", "sign": "-", "legacy": False,
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One setting of a library, which is given to each function as a module.

    Attributes:
        get, put, default: as it is, as it is to be, and as the library has it by itself.
        decides: whether a part of it (empty where it has none) of this value decides numbers.
    """

    library: str
    get: Callable[[Any], Any]
    put: Callable[[Any, Any], Any]
    default: Callable[[Any], Any]
    decides: Callable[[str, Any], bool] = lambda part, value: True


def _precision(torch: Any) -> Any:
    """Return the precision of products; as by itself where it is set for each kind of product."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "highest"


def _deterministic(torch: Any) -> Any:
    weak = torch.is_deterministic_algorithms_warn_only_enabled()
    return (torch.are_deterministic_algorithms_enabled(), weak)


def _put_device(torch: Any, device: Any) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


def _get_product(kind: str, torch: Any) -> str:
    """Return how exact a kind of product is; "none" where this PyTorch knows of no choice."""
    found = getattr(torch.backends.mkldnn, kind, None)
    return str(getattr(found, "fp32_precision", "none"))


def _put_product(kind: str, torch: Any, precision: str) -> None:
    getattr(torch.backends.mkldnn, kind).fp32_precision = precision


def _product(kind: str) -> Setting:
    get, put = partial(_get_product, kind), partial(_put_product, kind)

    def default(torch: Any) -> str:  # the older name of that of matrices sets it, too
        return get(torch) if kind == "matmul" and _precision(torch) != "highest" else "none"

    return Setting("torch", get, put, default)


def _get_context(decimal: Any) -> dict[str, Any]:
    return _told_of(decimal.getcontext())


def _put_context(decimal: Any, values: dict[str, Any]) -> None:
    context = decimal.getcontext()
    for name, value in values.items():
        setattr(context, name, value)


def _told_of(context: Any) -> dict[str, Any]:
    names = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
    return {name: getattr(context, name) for name in names}


def _usual_of_special(special: Any) -> dict[str, str]:
    return {kind: "raise" if kind == "memory" else "ignore" for kind in special.geterr()}


def _flushes(torch: Any) -> bool:
    """Whether numbers below the smallest normal one are 0 here: the processor tells."""
    return sys.float_info.min / 2 == 0.0


@cache
def _usual_configuration(sklearn: ModuleType) -> dict[str, Any]:
    """Return scikit-learn's configuration by itself: what a thread has that has set nothing."""
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(sklearn.get_config()))
    thread.start()
    thread.join()
    return found


@cache
def _usual_print(numpy: ModuleType) -> dict[str, Any]:
    return {name: _PRINTED.get(name) for name in numpy.get_printoptions()}


def _get_options(pandas: Any) -> dict[str, Any]:
    """Return pandas's options by their full names; seldom are they others than the usual ones."""
    usual = _usual_options(pandas)
    if not usual or pandas.options.d == _by_section(pandas):
        return usual
    there = _flat(pandas.options.d)
    return {name: there[name] for name in usual}  # without those that another library brought


def _put_options(pandas: Any, values: dict[str, Any]) -> None:
    there = _get_options(pandas)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of options that are to go: it is as somebody has set it
        for name, value in values.items():
            if there.get(name) != value:
                pandas.set_option(name, value)


def _usual_options(pandas: Any) -> dict[str, Any]:
    """Return pandas's options by themselves; none of one that is still being imported."""
    return _registered_options(pandas) if hasattr(pandas, "DataFrame") else {}


@cache
def _registered_options(pandas: ModuleType) -> dict[str, Any]:
    config = importlib.import_module("pandas._config.config")
    return {name: option.defval for name, option in config._registered_options.items()}


@cache
def _by_section(pandas: ModuleType) -> dict[str, Any]:
    """Return pandas's options by themselves, nested as it holds them."""
    nested: dict[str, Any] = {}
    for name, value in _registered_options(pandas).items():
        *path, last = name.split(".")
        inside = nested
        for section in path:
            inside = inside.setdefault(section, {})
        inside[last] = value
    return nested


def _flat(options: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        inside = isinstance(value, dict)
        found |= _flat(value, f"{above}{name}.") if inside else {f"{above}{name}": value}
    return found


def _put_recursion(sys: Any, depth: int) -> None:
    with contextlib.suppress(RecursionError):  # the stack is deeper already
        sys.setrecursionlimit(depth)


def _backend(name: str, default: bool) -> Setting:
    return Setting(
        "torch",
        lambda torch: getattr(torch.backends.cudnn, name),
        lambda torch, value: setattr(torch.backends.cudnn, name, value),
        lambda torch: default,
    )


SETTINGS = {
    "torch.set_default_dtype": Setting(
        "torch",
        lambda torch: torch.get_default_dtype(),
        lambda torch, dtype: torch.set_default_dtype(dtype),
        lambda torch: torch.float32,
    ),
    "torch.set_default_device": Setting(
        "torch",
        lambda torch: torch.get_default_device(),
        _put_device,
        lambda torch: torch.device("cpu"),
    ),
    "torch.set_float32_matmul_precision": Setting(
        "torch",
        _precision,
        lambda torch, precision: torch.set_float32_matmul_precision(precision),
        lambda torch: "highest",
    ),
    "torch.use_deterministic_algorithms": Setting(
        "torch",
        _deterministic,
        lambda torch, both: torch.use_deterministic_algorithms(both[0], warn_only=both[1]),
        lambda torch: (False, False),
    ),
    "torch.backends.cudnn.deterministic": _backend("deterministic", False),
    "torch.backends.cudnn.benchmark": _backend("benchmark", False),
    "torch.set_grad_enabled": Setting(
        "torch",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, enabled: torch.set_grad_enabled(enabled),
        lambda torch: True,
    ),
    "torch.set_flush_denormal": Setting(
        "torch",
        _flushes,
        lambda torch, flushes: torch.set_flush_denormal(flushes),
        lambda torch: False,
    ),
    "torch.backends.mkldnn.enabled": Setting(
        "torch",
        lambda torch: torch.backends.mkldnn.enabled,
        lambda torch, enabled: torch._C._set_mkldnn_enabled(enabled),
        lambda torch: True,
    ),
    "torch.backends.mkldnn.matmul.fp32_precision": _product("matmul"),
    "torch.backends.mkldnn.conv.fp32_precision": _product("conv"),
    "torch.backends.mkldnn.rnn.fp32_precision": _product("rnn"),
    "torch.backends.mha.set_fastpath_enabled": Setting(
        "torch",
        lambda torch: torch.backends.mha.get_fastpath_enabled(),
        lambda torch, enabled: torch.backends.mha.set_fastpath_enabled(enabled),
        lambda torch: True,
    ),
    "decimal.getcontext": Setting(
        "decimal", _get_context, _put_context, lambda decimal: _told_of(decimal.DefaultContext)
    ),
    "scipy.special.seterr": Setting(
        "scipy.special",
        lambda special: special.geterr(),
        lambda special, values: special.seterr(**values),
        _usual_of_special,
        lambda part, value: value in _ENDS,
    ),
    "sklearn.set_config": Setting(
        "sklearn",
        lambda sklearn: sklearn.get_config(),
        lambda sklearn, values: sklearn.set_config(**values),
        _usual_configuration,
        lambda part, value: part not in _SHOWS,
    ),
    "numpy.seterr": Setting(
        "numpy",
        lambda numpy: {**numpy.geterr(), "function": numpy.geterrcall()},
        lambda numpy, values: (
            numpy.seterr(**{k: v for k, v in values.items() if k != "function"}),
            numpy.seterrcall(values["function"]),
        ),
        lambda numpy: {
            "divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn",
            "function": None,
        },
        lambda part, value: value in _ENDS,
    ),
    "numpy.set_printoptions": Setting(
        "numpy",
        lambda numpy: numpy.get_printoptions(),
        lambda numpy, values: numpy.set_printoptions(**values),
        _usual_print,
        lambda part, value: False,
    ),
    "pandas.set_option": Setting(
        "pandas",
        _get_options,
        _put_options,
        _usual_options,
        lambda part, value: part.partition(".")[0] in _COMPUTE,
    ),
    "sys.setrecursionlimit": Setting(
        "sys",
        lambda sys: sys.getrecursionlimit(),
        _put_recursion,
        lambda sys: 1000,
        lambda part, value: False,
    ),
}  # fmt: skip
