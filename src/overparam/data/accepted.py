"""`as_dataset`: the data a user has in Python, in any of the usual forms, become a `Dataset`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import data as torch_data

from overparam.data.arrays import refuse_masked
from overparam.data.dataset import Dataset, make_dataset
from overparam.data.labels import ASK
from overparam.data.tables import check_columns, label_position, part_column
from overparam.errors import DataError, UsageError
from overparam.streams import Streams

FORMS = (
    "(X, y) of arrays, tensors or a DataFrame and its column, (frame, 'column of labels'), a "
    "TensorDataset or other map-style dataset, a DataLoader, or a Dataset of make_dataset"
)
ROWS_AT_ONCE = 256  # of a dataset that is asked row by row


def as_dataset(
    data: Any, n_classes: int | None = ASK, *, name: str = "data", like: Dataset | None = None
) -> Dataset:
    """Return data in any of the usual forms as a `Dataset`.

    Args:
        data: a `Dataset`; ``(X, y)`` of arrays, tensors, lists, or a DataFrame and a Series;
            ``(frame, "label")`` with the name of the column of labels, of any kind; a PyTorch
            dataset of (input, label) rows; or a `DataLoader`, whose dataset's rows are taken once,
            in order (its batch size and shuffling are not: `notes` says so).
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
    if isinstance(data, torch_data.TensorDataset):
        return (*_pair(data.tensors, "a TensorDataset"), ())
    if isinstance(data, torch_data.Dataset):
        return (*_collected(data, None), ())
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
    plain = (torch_data.SequentialSampler, torch_data.RandomSampler)
    dataset: Any = loader.dataset
    sampler: Any = loader.sampler
    if isinstance(sampler, torch_data.SubsetRandomSampler):
        dataset = torch_data.Subset(dataset, sorted(sampler.indices))
    elif not isinstance(sampler, plain) or getattr(sampler, "replacement", False):
        raise UsageError(
            "this DataLoader draws rows in a way of its own, which has no counterpart here",
            got=type(sampler).__name__,
            allowed="rows in order, shuffled, or of a SubsetRandomSampler",
            remedy="give the dataset itself",
        )
    note = (
        "rows of the DataLoader were taken once, in the order of its dataset; its batch size "
        f"({loader.batch_size}) and shuffling are not used, the recipe's are"
    )
    collate: Any = loader.collate_fn
    if loader.batch_sampler is None:  # batch_size=None: each item is one row, converted alone

        def collate(items: list[Any]) -> Any:
            return torch_data.default_collate([loader.collate_fn(item) for item in items])

    return (*_collected(dataset, collate), (note,))


def _collected(dataset: Any, collate: Any) -> tuple[Tensor, Tensor]:
    if isinstance(dataset, torch_data.IterableDataset) or not hasattr(dataset, "__len__"):
        raise UsageError(
            "an iterable dataset has no rows to draw batches from",
            got=type(dataset).__name__,
            allowed=FORMS,
            remedy="collect its rows: (torch.stack(inputs), torch.tensor(labels))",
        )
    if len(dataset) == 0:
        raise DataError("the dataset is empty", allowed="at least one row")

    def gather(rows: list[Any]) -> Any:
        refuse_masked("rows of the dataset", rows)
        return (collate or torch_data.default_collate)(rows)

    loader: torch_data.DataLoader = torch_data.DataLoader(
        dataset, ROWS_AT_ONCE, collate_fn=gather, generator=torch.Generator()
    )
    try:
        # Random augmentation is drawn once, the same in every process, from a stream of its own.
        with Streams(0).child("rows of a dataset").global_generators("augmentation"):
            batches = list(loader)
        inputs, labels = zip(*(_pair(batch, "a row") for batch in batches), strict=True)
        return torch.cat(inputs), torch.cat(labels)
    except (TypeError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(
            f"rows of the dataset do not make a tensor: {str(error).splitlines()[0][:120]}",
            got=type(dataset).__name__,
            allowed="rows (input, label) of tensors, arrays or numbers, of one shape",
            remedy="convert pictures with ToTensor(), pad sequences, encode text",
        ) from None
