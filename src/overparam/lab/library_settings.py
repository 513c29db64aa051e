"""What a script has set for its whole process, and what decides numbers: every unit is given it.

`torch.set_default_dtype`, `sklearn.set_config`, `np.seterr` and their like reach no other process,
and in this one a cell that sets them would reach the cells beside and after it. So what the user's
process has when a study begins goes with the jobs; a unit runs under it, wherever it runs, and what
a cell sets is that cell's, and ends with it (see `own_settings`). What is not as the libraries have
it by themselves, and decides numbers, is part of what a study is.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from overparam.lab.known_settings import SETTINGS


@dataclass(frozen=True)
class LibrarySettings:
    """Settings of this process's libraries.

    Attributes:
        values: by name (see `SETTINGS`), of what is not as the library has it by itself.
        filters: of warnings, as `warnings.filters` has them.
    """

    values: Mapping[str, Any]
    filters: tuple[Any, ...] = ()

    @classmethod
    def here(cls) -> LibrarySettings:
        """Return those of this process, as the thread that asks sees them."""
        found = {}
        for name, setting in SETTINGS.items():
            module = sys.modules.get(setting.library)
            if module is not None:
                value, default = setting.get(module), setting.default(module)
                if value is not default and value != default:
                    found[name] = value
        return cls(found, tuple(warnings.filters))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let them be this process's inside the block, and put back what was there before."""
        before = self.here()
        self.put()
        try:
            yield
        finally:
            before.put()

    def told(self) -> dict[str, str]:
        """Return, by name, those that decide numbers, each as a text.

        >>> LibrarySettings({"torch.set_default_dtype": "float64"}).told()
        {'torch.set_default_dtype': "'float64'"}
        """
        texts: dict[str, str] = {}
        for name, value in self.values.items():
            setting = SETTINGS[name]
            if not isinstance(value, dict):
                texts |= {name: repr(value)} if setting.decides("", value) else {}
                continue
            usual = setting.default(sys.modules[setting.library])
            texts |= {
                f"{name} {part}": repr(one)
                for part, one in value.items()
                if one != usual.get(part) and setting.decides(part, one)
            }
        return texts

    def put(self) -> None:
        """Let them be this process's, as the thread that asks sees them."""
        for name, setting in SETTINGS.items():
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
