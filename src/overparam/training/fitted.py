"""`Fitted`: a trained model with its trace, and what can be asked of it.

In a cell, `await predict(fitted, inputs)` asks for its outputs; anywhere else `fitted.outputs`,
`.predict` and `.predict_proba` answer at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.errors import UsageError, suggest
from overparam.training.asked import asked
from overparam.training.copies import copy_module, named_tensors, put_state, with_memory
from overparam.training.fitted_estimator import FittedEstimator
from overparam.training.prediction import PredictRequest
from overparam.training.recipe import LossFunction, Recipe
from overparam.training.request import Context, solve
from overparam.training.task import Task, rows_of
from overparam.training.trace import Status, Trace

# What a Fitted shows of itself: ten lines at most.
_SETS_SHOWN, _NOTES_SHOWN, _NOTE_LENGTH = 3, 2, 110


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes:
        template: a copy of the module as it was given (possibly on the meta device), or as training
            left it where that changed more than tensors (a count in a plain attribute).
        state: trained parameters and buffers, without padding, each under all of its names.
        recipe: how it was trained. trace: what was measured on the way.
        status: ``done``; ``stopped`` (a stop rule was met); ``diverged`` (the training loss is not
            finite, or outputs on the training set are NaN).
        n_steps: updates done. task: shape and kind of its rows, where known.
        notes: how labels were read, and what the engine fell back to.
        given: the module as it was given, where `template` is not that one.
    """

    template: nn.Module
    state: Mapping[str, Tensor]
    recipe: Recipe
    trace: Trace
    status: Status
    n_steps: int
    task: Task | None = None
    notes: tuple[str, ...] = ()
    given: nn.Module | None = None

    @property
    def form(self) -> str:
        """What the outputs are: ``logits``, ``decision values`` or ``targets``.

        Logits of probabilities where the loss is cross-entropy; scores of classes under another
        loss; or predicted targets.
        """
        if self.recipe.loss == "cross_entropy":
            return "logits"
        return "decision values" if self._has_classes() else "targets"

    @property
    def classes(self) -> np.ndarray | None:
        """The classes `[K]` in the order of the outputs; None for targets, or where not known."""
        n_classes = None if self.task is None else self.task.n_classes
        return None if n_classes is None else np.arange(n_classes)

    @property
    def train_error(self) -> float:
        """Fraction of training rows wrong at the last traced epoch."""
        return float(self.trace.error["train"][-1])

    @property
    def train_loss(self) -> float:
        """Mean training loss at the last traced epoch."""
        return float(self.trace.loss["train"][-1])

    def error(self, of: str) -> float:
        """Fraction wrong on the set evaluated under this name, at the last traced epoch."""
        return float(self._traced(self.trace.error, of)[-1])

    def loss(self, of: str) -> float:
        """Mean loss on the set evaluated under this name, at the last traced epoch."""
        return float(self._traced(self.trace.loss, of)[-1])

    def best_error(self, of: str) -> float:
        """Lowest error over the traced epochs: what stopping at the best epoch would give."""
        return float(np.min(self._traced(self.trace.error, of)))

    def outputs(self, inputs: Any, *, device: str = "cpu") -> Any:
        """Return the outputs `[n, K]`: logits, or predicted targets.

        Args:
            inputs: `[n, *shape]`, as the training set's: a tensor, an array, a list or a table.
            device: where to compute.

        Returns:
            A tensor for a tensor, a NumPy array for anything else.

        Raises:
            DataError: inputs that are no numbers, NaN or infinite, or whole numbers that the model
                does not know. UsageError: rows of another shape than the training set's.
        """
        rows = rows_for(self, inputs)
        found = solve(predict(self, rows), Context(torch.device(device)))
        return found if isinstance(inputs, Tensor) else found.numpy()

    def predict(self, inputs: Any, *, device: str = "cpu") -> Any:
        """Return the predicted class of each row, int64, or the predicted targets.

        They have the shape of the labels that the model was trained on: `[n]` for `[n]`, `[n, 1]`
        for `[n, 1]`, `[n, k]` for `[n, k]`. Inputs and errors as in `outputs`.

        Raises:
            UsageError: outputs of some rows are NaN, as of a model that diverged: no class.
        """
        found = self.outputs(inputs, device=device)
        found = found.reshape(len(found), -1)
        if self._has_classes():
            self._refuse_nan(torch.as_tensor(found))
            found = found.argmax(1)[:, None]
        shape = None if self.task is None else self.task.label_shape
        n_numbers = found.shape[1]
        if shape is None or math.prod(shape) != n_numbers:  # a loss of one's own makes one of many
            shape = () if n_numbers == 1 else (n_numbers,)
        return found.reshape(len(found), *shape)

    def predict_proba(self, inputs: Any, *, device: str = "cpu") -> Any:
        """Return the probability of each class, `[n, K]`: the softmax of the outputs.

        Raises:
            UsageError: the model was not trained with cross-entropy, so its outputs are no logits.
                Else as in `outputs`.
        """
        if self.recipe.loss != "cross_entropy":
            raise UsageError(
                "outputs are logits of probabilities where the loss is cross-entropy",
                got=_name_of(self.recipe.loss),
                allowed="cross_entropy",
                remedy="use .predict(inputs), or .outputs(inputs) for the numbers themselves",
            )
        found = self.outputs(inputs, device=device)
        found = found.reshape(len(found), -1)
        probabilities = torch.as_tensor(found).double().softmax(1).to(torch.as_tensor(found).dtype)
        return probabilities if isinstance(found, Tensor) else probabilities.numpy()

    def save(self, path: str | Path) -> Path:
        """Write weights, recipe and trace to one file; `load_fitted` reads it.

        The file holds numbers and text, no code: the module itself is not in it. See
        `overparam.training.saved`.

        Raises:
            UsageError: training changed more than parameters and buffers, such as a plain
                attribute, and outputs depend on it, so that it could not be loaded again; or
                nothing can be at the path.
            ResourceError: it cannot be written; what was there before is kept.
        """
        from overparam.training.saved import save_fitted

        return save_fitted(self, path)

    def __repr__(self) -> str:
        n_params = sum(p.numel() for p in self.template.parameters())
        recipe, loss = self.recipe, _name_of(self.recipe.loss)
        batch = "the whole set" if recipe.batch_size is None else recipe.batch_size
        lines = [
            f"Fitted: {self.status} after {self.n_steps:,} updates",
            f"  model   {type(self.template).__name__}, {n_params:,} parameters",
            f"  recipe  {loss}, {recipe.optimizer}, learning rate {recipe.learning_rate:g}, "
            f"batch {batch}",
        ]
        for name in list(self.trace.loss)[:_SETS_SHOWN]:
            error = float(self.trace.error[name][-1])
            said = "" if np.isnan(error) else f", error {100 * error:.3g} %"
            lines.append(f"  {name:7} loss {float(self.trace.loss[name][-1]):.4g}{said}")
        if len(self.trace.loss) > _SETS_SHOWN:
            lines.append(f"  ... and {len(self.trace.loss) - _SETS_SHOWN} more sets")
        lines += [f"  note    {note[:_NOTE_LENGTH]}" for note in self.notes[:_NOTES_SHOWN]]
        if len(self.notes) > _NOTES_SHOWN:
            lines.append(f"  ... and {len(self.notes) - _NOTES_SHOWN} more notes")
        return "\n".join(lines)

    def _traced(self, values: Mapping[str, np.ndarray], of: str) -> np.ndarray:
        if of not in values:
            known = list(values)
            raise UsageError(
                "no set of this name was evaluated",
                got=of,
                allowed=", ".join(known),
                remedy=suggest(of, known) or f"train with evaluate={{{of!r}: ...}}",
            )
        return values[of]

    def _refuse_nan(self, outputs: Tensor) -> None:
        bad = outputs.isnan().any(1).nonzero().flatten().tolist()
        if bad:
            learn = "train with a smaller learning_rate; " if self.status == "diverged" else ""
            raise UsageError(
                "outputs of the model are NaN, of which no class is the largest",
                got=f"{len(bad)} rows, first {bad[:3]}, of a model that is {self.status}",
                remedy=f"{learn}.outputs(inputs) returns them as they are",
            )

    def _has_classes(self) -> bool:
        if self.task is not None and self.task.n_classes is not None:
            return True
        return self.recipe.loss == "cross_entropy"

    def module(self) -> nn.Module:
        """Return a plain `nn.Module` with the trained weights, in evaluation mode."""
        module = copy_module(self.template)
        if any(t.is_meta for _, t in named_tensors(module)):
            module = with_memory(module)
        if not module.training:  # the state is that of training mode
            module.train()
        return put_state(module, self.state).eval()


@asked
async def predict(
    fitted: Fitted | FittedEstimator, inputs: Any, *, draws: str = "outputs"
) -> Tensor:
    """Return the outputs `[n, K]` of a fitted model on `inputs` `[n, *shape]`, tensor or array.

    For cells; elsewhere `fitted.outputs(inputs)` answers at once. What the numbers are,
    `fitted.form` says.

    Args:
        fitted: what `train` or `fit_estimator` returned. inputs: in the form of its own.
        draws: stream of what a model draws at random in evaluation mode; the same stream, the
            same outputs.

    Cost: one forward pass in the dtype of the trained weights, as many rows at a time as when
    errors are measured (`batches.rows_at_once`). Fully
    connected networks of one shape, asked for the same rows by cells side by side, share it.

    Raises:
        DataError, UsageError: inputs as in `Fitted.outputs`. UsageError: no fitted model.
    """
    if isinstance(fitted, FittedEstimator):
        return torch.as_tensor(fitted.outputs(inputs, draws=draws))
    if not isinstance(fitted, Fitted):
        raise UsageError(
            "predict asks a fitted model",
            got=type(fitted).__name__,
            allowed="what train, fit_estimator or fit returned",
            remedy="write fitted = await train(...) in a cell, or fitted = op.fit(...)",
        )
    return await PredictRequest(fitted, rows_for(fitted, inputs), draws=draws)


def rows_for(fitted: Fitted, inputs: Any) -> Tensor:
    """Return inputs as a tensor of the kind that the model was trained on.

    Raises:
        UsageError: the model has no weights, or rows have another shape than in training.
        DataError: no numbers, no rows, NaN, or fractions for a model of whole numbers.
    """
    if not fitted.state:
        raise UsageError(
            "this model has no weights to ask",
            got=fitted.status,
            remedy="it diverged: train with a smaller learning_rate",
        )
    return rows_of(fitted.task, inputs)


def _name_of(loss: str | LossFunction) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "__name__", "a loss of its own")
