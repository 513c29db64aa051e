"""`FeatureProblem`: rows and a nested feature map, from which fits of every width are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from overparam.checks import check_count
from overparam.data.dataset import digest_of
from overparam.errors import DataError


@dataclass(frozen=True, eq=False)
class FeatureProblem:
    """Rows to fit, rows to predict, and the nested feature map between inputs and columns.

    Features are computed at the first fit and kept for as long as the rows are the same: planning a
    study computes none.

    Attributes:
        feature_map: maps inputs `[rows, *shape]` to features `[rows, P]`, nested (width p is
            its first p columns), with the attribute ``n_features`` = P.
        inputs: training inputs `[n, *shape]`. targets: Y `[n, k]`, floating.
        held_out: name to inputs `[m, *shape]` that every fit predicts, such as ``"test"``.
        whole: the problem this one is the first rows of; see `first_rows`.
    """

    feature_map: Callable[[Tensor], Tensor]
    inputs: Tensor
    targets: Tensor
    held_out: Mapping[str, Tensor] = field(default_factory=dict)
    whole: FeatureProblem | None = None

    def __post_init__(self) -> None:
        if self.targets.ndim != 2 or len(self.targets) != len(self.inputs):
            raise DataError(
                "inputs and targets do not fit together",
                got=f"inputs {list(self.inputs.shape)}, targets {list(self.targets.shape)}",
                allowed="inputs [n, ...] and targets [n, k]",
            )

    @property
    def n_features(self) -> int:
        """Largest width P."""
        return int(self.feature_map.n_features)  # type: ignore[attr-defined]

    def first_rows(self, n: int) -> FeatureProblem:
        """Return the problem of the first n rows: features shared, the same object every time."""
        check_count("n", n, 1, len(self.inputs))
        if n not in self._beginnings:
            self._beginnings[n] = FeatureProblem(
                self.feature_map, self.inputs[:n], self.targets[:n], self.held_out, self
            )
        return self._beginnings[n]

    @cached_property
    def _beginnings(self) -> dict[int, FeatureProblem]:
        return {}

    @property
    def features(self) -> Tensor:
        """Training features, float64 `[n, P]`."""
        if self.whole is not None:
            return self.whole.features[: len(self.inputs)]
        return self._features_of("", self.inputs)

    @property
    def held_out_features(self) -> Tensor:
        """Features of all held-out rows, one set after the other, float64 `[m, P]`."""
        if self.whole is not None:
            return self.whole.held_out_features
        if not self.held_out:
            return self.features[:0]
        return self._features_of("held out", *self.held_out.values())

    def _features_of(self, kind: str, *sets: Tensor) -> Tensor:
        """Return the features that are kept, unless the rows were changed in place since."""
        digests = [digest_of(rows) for rows in sets]
        if self._kept.get(kind, (None,))[0] != digests:
            made = [self.feature_map(rows) for rows in sets]
            self._kept[kind] = digests, made[0] if len(made) == 1 else torch.cat(made)
        return self._kept[kind][1]

    @cached_property
    def _kept(self) -> dict[str, tuple]:
        return {}

    def split(self, predictions: Tensor) -> dict[str, Tensor]:
        """Return predictions `[m, k]` of all held-out rows by the name of their set."""
        sizes = [len(rows) for rows in self.held_out.values()]
        return dict(zip(self.held_out, predictions.split(sizes), strict=True))
