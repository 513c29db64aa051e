"""Modules that cells import: what is drawn by an import moves no draw of a cell.

A library may draw a random number when it is imported, which happens once in a process. The cell
that imports it would go on from there, and the same cell elsewhere, where it was imported before,
would not. So while cells run, a module is executed with global generators that begin at a number
of its name, and they are put back after it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from overparam.models.own_imports import Overseer, is_own
from overparam.streams import Streams, generators_at


@contextlib.contextmanager
def imports_apart() -> Iterator[None]:
    """Keep what this thread imports inside the block from the draws of what runs in it."""
    finder = _Apart()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # a cell has taken it away
            sys.meta_path.remove(finder)


class _Apart(Overseer):
    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self._is_inside = False

    def seen_to(self, spec: ModuleSpec) -> ModuleSpec:
        # Of a namespace nothing is executed; loaders of old execute in another way.
        if hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec, self)  # type: ignore[assignment]
        return spec

    @contextlib.contextmanager
    def executing(self, spec: ModuleSpec) -> Iterator[None]:
        """Execute a module in the block.

        What a library imports in turn needs no generators of its own. A module of the user's may
        keep what it draws, which must not depend on who imported it.
        """
        outer = self._is_inside
        if threading.get_ident() != self.thread or (outer and not is_own(spec.name, spec.origin)):
            yield
            return
        self._is_inside = True
        try:
            with generators_at(Streams(0).entropy(f"import of {spec.name}")):
                yield
        finally:
            self._is_inside = outer


class _Loader:
    """Stands for a module's loader until the module is executed."""

    def __init__(self, spec: ModuleSpec, finder: _Apart) -> None:
        self._spec, self._loader, self._finder = spec, spec.loader, finder

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # of a copy that is not complete yet
            raise AttributeError(name)
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, which knows its own loader."""
        self._spec.loader = self._loader
        with contextlib.suppress(AttributeError):
            module.__loader__ = self._loader
        with self._finder.executing(self._spec):
            self._loader.exec_module(module)  # type: ignore[union-attr]
