"""`as_dataset`: the data a user has in Python, in any of the usual forms, become a `Dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import data as torch_data

from overparam.data.arrays import refuse_masked
from overparam.data.dataset import Dataset, make_dataset
from overparam.data.labels import ASK
from overparam.data.tables import check_column_names, check_columns, label_position, part_column
from overparam.errors import DataError, UsageError
from overparam.streams import Streams

FORMS = (
    "(X, y) of arrays, tensors or a DataFrame and its column, (frame, 'column of labels'), a "
    "TensorDataset or other map-style dataset, a DataLoader, or a Dataset of make_dataset"
)
_NUMBERS_SAID = 5  # rows of a DataLoader whose positions are said
ROWS_AT_ONCE = 256  # of a dataset that is asked row by row
_READ_AGAIN = 8  # rows, to see whether they are the same a second time
_DRAWN = (
    "rows of the dataset are others when they are read again, as with random augmentation: each "
    "was drawn once and is the same in every pass, which training may memorize"
)
_SHUFFLED = (torch_data.RandomSampler, torch_data.SubsetRandomSampler)
_LOADING = ("__iter__", "_get_iterator", "_index_sampler", "_auto_collation")  # how rows come


def as_dataset(
    data: Any, n_classes: int | None = ASK, *, name: str = "data", like: Dataset | None = None
) -> Dataset:
    """Return data in any of the usual forms as a `Dataset`.

    Args:
        data: a `Dataset`; ``(X, y)`` of arrays, tensors, lists, or a DataFrame and a Series;
            ``(frame, "label")`` with the name of the column of labels, of any kind; a PyTorch
            dataset of (input, label) rows; or a `DataLoader`, of which the rows that it yields are
            taken once (its batch size and shuffling are not: `notes` says so). All rows of its
            dataset have the dataset's order; of some, `notes` says which row of it is which. One
            that takes other rows in each pass, or has an `__iter__` of its own, is refused.
        n_classes: as in `make_dataset`. name: what to call the set.
        like: a set of the same task, from which classes and type of the inputs are taken; a table
            must have its columns, in its order.

    Raises:
        UsageError: another form, or other columns or targets than `like` has.
        DataError: as `make_dataset`.

    >>> as_dataset(([[0.0], [1.0], [2.0]], [0, 1, 1]))
    Dataset('data', 3 x [1], 2 classes)
    """
    if like is not None:
        n_classes = like.n_classes
    if isinstance(data, Dataset):
        if n_classes not in (ASK, data.n_classes) and like is None:
            raise UsageError(
                f"{data.name!r} is a Dataset and has its own n_classes",
                got=n_classes,
                allowed=data.n_classes,
                remedy="give n_classes to make_dataset",
            )
        if like is not None:
            check_column_names(data.columns, like.columns, f"{like.name!r}")
        return data
    inputs, labels, notes = _parts(data)
    if like is not None:
        check_columns(inputs, like.columns, f"{like.name!r}")
    made = make_dataset(inputs, labels, n_classes, name=name)
    if like is not None:
        made = _as_like(made, like)
    return replace(made, notes=(*notes, *made.notes))


def _as_like(made: Dataset, like: Dataset) -> Dataset:
    """Return a set with inputs of the kind that another has, and hold its targets against those."""
    if made.n_outputs != like.n_outputs:
        k = like.n_outputs
        raise UsageError(
            f"labels of {made.name!r} have another shape than those of {like.name!r}",
            got=[len(made), *(made.label_shape or ())],
            allowed=f"[n, {k}]" if k > 1 else "[n]",
            remedy=f"numbers of classes are np.eye({k})[labels] as rows"
            if made.n_outputs == 1
            else "",
        )
    if like.base.is_floating_point() and not made.base.is_floating_point():
        return replace(made, base=made.base.to(torch.float64))  # exact; the recipe's type follows
    return made


def _parts(data: Any) -> tuple[Any, Any, tuple[str, ...]]:
    """Return inputs, labels, and what was left aside."""
    if isinstance(data, torch_data.DataLoader):
        return _of_loader(data)
    if type(data) is torch_data.TensorDataset:  # a subclass may make other rows of its tensors
        return (*_pair(data.tensors, "a TensorDataset"), ())
    if isinstance(data, torch_data.Dataset):
        return _of_dataset(data)
    if isinstance(data, tuple | list):
        inputs, labels = _pair(data, f"a {type(data).__name__}")
        position = label_position(inputs, labels)
        return (*((inputs, labels) if position is None else part_column(inputs, position)), ())
    raise UsageError(
        "this is not a form of data that can be trained on",
        got=type(data).__name__,
        allowed=FORMS,
        remedy="give (X, y)",
    )


def _pair(parts: Any, what: str) -> tuple[Any, Any]:
    if len(parts) != 2:
        raise UsageError(
            f"{what} must hold inputs and labels",
            got=f"{len(parts)} parts",
            allowed=FORMS,
            remedy="a model of several inputs takes one tensor here: join them, and part them in "
            "its forward"
            if len(parts) > 2
            else "give (X, y)",
        )
    return parts[0], parts[1]


def _of_loader(loader: torch_data.DataLoader) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return the rows that a loader yields in one pass, and what of it is not taken.

    Where they are all rows of its dataset, or its first ones, they have the dataset's order; else
    that of the positions that its sampler holds.
    """
    for name in _LOADING:
        if getattr(type(loader), name) is not getattr(torch_data.DataLoader, name):
            raise _no_counterpart(
                f"{type(loader).__name__} with a {name} of its own",
                "a DataLoader as PyTorch has it",
            )
    if isinstance(loader.dataset, torch_data.IterableDataset):
        return _of_dataset(loader.dataset)
    batches, size = _batches_of(loader)
    collate: Any = loader.collate_fn
    if loader.batch_sampler is None:  # batch_size=None: each item is one row, converted alone

        def collate(items: list[Any]) -> Any:
            return torch_data.default_collate([loader.collate_fn(item) for item in items])

    inputs, labels, drawn = _collected(loader.dataset, batches, collate)
    positions = [position for batch in batches for position in batch]
    n = len(positions)
    if len(inputs) == n and set(positions) == set(range(n)):
        order = torch.tensor(positions).argsort()
        inputs, labels, positions = inputs[order], labels[order], [*range(n)]
    note = (
        f"rows of the DataLoader were taken once, {_numbering(positions)}; its batch size "
        f"({size}) and shuffling are not used, the recipe's are"
    )
    if loader.drop_last and size and n % size and isinstance(loader.sampler, _SHUFFLED):
        note += f", nor is drop_last, which leaves {n % size} other rows out of each of its passes"
    return inputs, labels, (note, *drawn)


def _numbering(positions: list[int]) -> str:
    """Say which row of the dataset each row is."""
    if positions == [*range(len(positions))]:
        return "numbered as in its dataset"
    some, more = positions[:_NUMBERS_SAID], ", ..." if len(positions) > _NUMBERS_SAID else ""
    rows = "row 0 is row" if len(some) == 1 else f"rows 0 to {len(some) - 1} are rows"
    return f"as its sampler has them ({rows} {', '.join(map(str, some))}{more} of its dataset)"


def _batches_of(loader: torch_data.DataLoader) -> tuple[Sequence[Sequence[int]], int | None]:
    """Return the positions of the rows that a loader yields, in batches, and its batch size.

    What a collating function makes of a row may depend on the rows beside it: they are those of a
    batch of the loader.
    """
    batcher: Any = loader.batch_sampler
    if batcher is None:
        return _in_batches(_positions_of(loader.sampler), ROWS_AT_ONCE), None
    if type(batcher) in (list, tuple):  # the batches themselves
        return [list(batch) for batch in batcher], None
    if type(batcher) is not torch_data.BatchSampler:
        raise _no_counterpart(type(batcher).__name__, "a BatchSampler, or a list of batches")
    size, positions = int(batcher.batch_size), _positions_of(batcher.sampler)
    if batcher.drop_last and not isinstance(batcher.sampler, _SHUFFLED):
        positions = positions[: len(positions) // size * size]  # no pass comes to the last ones
    return _in_batches(positions, size), size


def _positions_of(sampler: Any) -> Sequence[int]:
    """Return the positions of all rows that a sampler may yield, in order."""
    kind = type(sampler)
    if kind in (list, tuple, range):
        return list(sampler)
    if kind is torch_data.SubsetRandomSampler:
        return sorted(sampler.indices)
    if kind is torch_data.SequentialSampler:
        return range(len(sampler.data_source))
    random = kind is torch_data.RandomSampler and not sampler.replacement
    if random and sampler.num_samples == len(sampler.data_source):
        return range(len(sampler.data_source))
    raise _no_counterpart(kind.__name__, "rows in order, shuffled, or of a SubsetRandomSampler")


def _no_counterpart(got: str, allowed: str) -> UsageError:
    return UsageError(
        "this DataLoader draws rows in a way of its own, which has no counterpart here",
        got=got,
        allowed=allowed,
        remedy="give the dataset itself, or Subset(dataset, positions) for some of its rows",
    )


def _in_batches(positions: Sequence[int], size: int) -> Sequence[Sequence[int]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]


def _of_dataset(dataset: Any) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return all rows of a map-style dataset, and what is to be said of them."""
    if isinstance(dataset, torch_data.IterableDataset) or not hasattr(dataset, "__len__"):
        raise UsageError(
            "an iterable dataset has no rows to draw batches from",
            got=type(dataset).__name__,
            allowed=FORMS,
            remedy="collect its rows: (torch.stack(inputs), torch.tensor(labels))",
        )
    return _collected(dataset, _in_batches(range(len(dataset)), ROWS_AT_ONCE), None)


def _collected(
    dataset: Any, batches: Sequence[Sequence[int]], collate: Any
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return rows of a map-style dataset as inputs and labels, and what is to be said of them."""
    if not any(map(len, batches)):
        raise DataError("the dataset is empty", allowed="at least one row")
    # Random augmentation is drawn once, the same in every process, from a stream of its own.
    with Streams(0).child("rows of a dataset").global_generators("augmentation"):
        made = [_batch(dataset, batch, collate) for batch in batches]
        first = batches[0] if collate else batches[0][:_READ_AGAIN]  # it may collate by batch
        again = _batch(dataset, first, collate)
    try:
        inputs, labels = (torch.cat(parts) for parts in zip(*made, strict=True))
        n = len(again[0])
        same = _are_equal(inputs[:n], again[0]) and _are_equal(labels[:n], again[1])
    except (TypeError, RuntimeError) as error:
        raise _no_tensor(dataset, error) from None
    return inputs, labels, () if same else (_DRAWN,)


def _batch(dataset: Any, positions: Sequence[int], collate: Any) -> tuple[Any, Any]:
    rows = _asked(dataset, positions)
    refuse_masked("rows of the dataset", rows)
    try:
        return _pair((collate or torch_data.default_collate)(rows), "a row")
    except (TypeError, RuntimeError, ValueError, KeyError) as error:
        raise _no_tensor(dataset, error) from None


def _are_equal(rows: Tensor, again: Tensor) -> bool:
    if rows.shape != again.shape:
        return False
    return bool(((rows == again) | ((rows != rows) & (again != again))).all())  # NaN is NaN


def _asked(dataset: Any, positions: Sequence[int]) -> list[Any]:
    """Return rows as a DataLoader asks for them: together where the dataset knows how."""
    together = getattr(dataset, "__getitems__", None)
    rows, which = [], f"rows {positions[0]} to {positions[-1]}"
    try:
        if together:
            return together(list(positions))
        for i in positions:
            which = f"row {i}"
            rows.append(dataset[i])
    except Exception as error:  # a dataset of the user's own raises what it likes
        raise DataError(
            f"{which} of the dataset cannot be read: {_said(error)}", got=type(dataset).__name__
        ) from error
    return rows


def _no_tensor(dataset: Any, error: Exception) -> DataError:
    return DataError(
        f"rows of the dataset do not make a tensor: {_said(error)}",
        got=type(dataset).__name__,
        allowed="rows (input, label) of tensors, arrays or numbers, of one shape",
        remedy="convert pictures with ToTensor(), pad sequences to one length, encode text",
    )


def _said(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0][:120]
    return f"{type(error).__name__}: {first}"
