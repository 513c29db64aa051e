"""What a script has set for its whole process, and what decides numbers: every unit is given it.

`torch.set_default_dtype`, `sklearn.set_config`, `np.seterr` and their like reach no other process,
and in this one a cell that sets them would reach the cells beside and after it. So what the user's
process has when a study begins goes with the jobs; a unit runs under it, wherever it runs, and what
a cell sets is that cell's, and ends with it. What is not as the libraries have it by themselves is
part of what a study is.

How many threads compute is not among them: it is one (see `overparam.threads`).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import types
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any

_SHOWS = ("display", "print_changed_only")  # of scikit-learn: how things look
_ENDS = ("raise", "call")  # of what NumPy does about an error: more than a word, or none


@dataclass(frozen=True)
class LibrarySettings:
    """Settings of this process's libraries.

    Attributes:
        values: by name (see `_SETTINGS`), of what is not as the library has it by itself.
        filters: of warnings, as `warnings.filters` has them.
    """

    values: Mapping[str, Any]
    filters: tuple[Any, ...] = ()

    @classmethod
    def here(cls) -> LibrarySettings:
        """Return those of this process, as the thread that asks sees them."""
        found = {}
        for name, setting in _SETTINGS.items():
            module = sys.modules.get(setting.library)
            if module is not None:
                value, default = setting.get(module), setting.default(module)
                if value != default:
                    found[name] = value
        return cls(found, tuple(warnings.filters))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let them be this process's inside the block, and put back what was there before."""
        before = self.here()
        self._put()
        try:
            yield
        finally:
            before._put()

    def told(self) -> dict[str, str]:
        """Return, by name, those that decide numbers, each as a text.

        >>> LibrarySettings({"torch.set_default_dtype": "float64"}).told()
        {'torch.set_default_dtype': "'float64'"}
        """
        texts: dict[str, str] = {}
        for name, value in self.values.items():
            if not isinstance(value, dict):
                texts[name] = repr(value)
                continue
            usual = _SETTINGS[name].default(sys.modules[_SETTINGS[name].library])
            texts |= {
                f"{name} {part}": repr(one)
                for part, one in value.items()
                if one != usual.get(part)
                and part not in _SHOWS
                and (not name.endswith("seterr") or one in _ENDS)
            }
        return texts

    def _put(self) -> None:
        for name, setting in _SETTINGS.items():
            module = sys.modules.get(setting.library)
            if module is None and name in self.values:
                module = importlib.import_module(setting.library)
            if module is not None:
                wanted = self.values[name] if name in self.values else setting.default(module)
                if setting.get(module) != wanted:
                    setting.put(module, wanted)
        if tuple(warnings.filters) != self.filters:
            warnings.resetwarnings()  # which also says that what was shown once counts no more
            warnings.filters.extend(self.filters)  # type: ignore[attr-defined]


@types.coroutine
def with_own_settings(start: Callable[[], Coroutine[Any, Any, Any]]) -> Generator[Any, Any, Any]:
    """Run a cell such that what it sets is in force in its turns only, and returns with them."""
    outside = inside = LibrarySettings.here()
    cell = start()
    step = partial(cell.send, None)
    while True:
        if inside != outside:
            inside._put()
        try:
            asked = step()
        except StopIteration as end:
            return end.value
        finally:
            inside = LibrarySettings.here()
            if inside != outside:
                outside._put()
        try:
            step = partial(cell.send, (yield asked))
        except GeneratorExit:
            cell.close()
            raise
        except BaseException as error:
            step = partial(cell.throw, error)


@dataclass(frozen=True)
class _Setting:
    """One setting of a library, which is given to each function as a module."""

    library: str
    get: Callable[[Any], Any]
    put: Callable[[Any, Any], Any]
    default: Callable[[Any], Any]


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


def _product(kind: str) -> _Setting:
    get, put = partial(_get_product, kind), partial(_put_product, kind)

    def default(torch: Any) -> str:  # the older name of that of matrices sets it, too
        return get(torch) if kind == "matmul" and _precision(torch) != "highest" else "none"

    return _Setting("torch", get, put, default)


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


def _backend(name: str, default: bool) -> _Setting:
    return _Setting(
        "torch",
        lambda torch: getattr(torch.backends.cudnn, name),
        lambda torch, value: setattr(torch.backends.cudnn, name, value),
        lambda torch: default,
    )


_SETTINGS = {
    "torch.set_default_dtype": _Setting(
        "torch",
        lambda torch: torch.get_default_dtype(),
        lambda torch, dtype: torch.set_default_dtype(dtype),
        lambda torch: torch.float32,
    ),
    "torch.set_default_device": _Setting(
        "torch",
        lambda torch: torch.get_default_device(),
        _put_device,
        lambda torch: torch.device("cpu"),
    ),
    "torch.set_float32_matmul_precision": _Setting(
        "torch",
        _precision,
        lambda torch, precision: torch.set_float32_matmul_precision(precision),
        lambda torch: "highest",
    ),
    "torch.use_deterministic_algorithms": _Setting(
        "torch",
        _deterministic,
        lambda torch, both: torch.use_deterministic_algorithms(both[0], warn_only=both[1]),
        lambda torch: (False, False),
    ),
    "torch.backends.cudnn.deterministic": _backend("deterministic", False),
    "torch.backends.cudnn.benchmark": _backend("benchmark", False),
    "torch.set_grad_enabled": _Setting(
        "torch",
        lambda torch: torch.is_grad_enabled(),
        lambda torch, enabled: torch.set_grad_enabled(enabled),
        lambda torch: True,
    ),
    "torch.set_flush_denormal": _Setting(
        "torch",
        _flushes,
        lambda torch, flushes: torch.set_flush_denormal(flushes),
        lambda torch: False,
    ),
    "torch.backends.mkldnn.enabled": _Setting(
        "torch",
        lambda torch: torch.backends.mkldnn.enabled,
        lambda torch, enabled: torch._C._set_mkldnn_enabled(enabled),
        lambda torch: True,
    ),
    "torch.backends.mkldnn.matmul.fp32_precision": _product("matmul"),
    "torch.backends.mkldnn.conv.fp32_precision": _product("conv"),
    "torch.backends.mkldnn.rnn.fp32_precision": _product("rnn"),
    "torch.backends.mha.set_fastpath_enabled": _Setting(
        "torch",
        lambda torch: torch.backends.mha.get_fastpath_enabled(),
        lambda torch, enabled: torch.backends.mha.set_fastpath_enabled(enabled),
        lambda torch: True,
    ),
    "decimal.getcontext": _Setting(
        "decimal", _get_context, _put_context, lambda decimal: _told_of(decimal.DefaultContext)
    ),
    "scipy.special.seterr": _Setting(
        "scipy.special",
        lambda special: special.geterr(),
        lambda special, values: special.seterr(**values),
        _usual_of_special,
    ),
    "sklearn.set_config": _Setting(
        "sklearn",
        lambda sklearn: sklearn.get_config(),
        lambda sklearn, values: sklearn.set_config(**values),
        _usual_configuration,
    ),
    "numpy.seterr": _Setting(
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
    ),
}  # fmt: skip
