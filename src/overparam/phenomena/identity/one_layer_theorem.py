"""What one image teaches a linear layer, and what stays chance.

Claim: Gradient descent on one image t teaches a linear layer the projection P on t and leaves the
    rest to its random start: f(x) = P x + W0 (x - P x) to 1e-6 for every test input, with an
    error that grows as the input's correlation with t falls.

Control: The same from W0 = 0: the formula still holds, but nothing random is left on the
    complement of t, the output is P x. And Adam instead of gradient descent, from the same W0: it
    fits t as well and obeys no such formula.

Falsified: From zero, the control would fail if the noise came from training and not from the
    start. With Adam, it would fail if every optimizer that fits the image obeyed the formula, in
    every seed.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), theorem 1
    for the fully connected layer; theorem 2 for the convolution, in the exact form of
    `overparam.theory.identity_map`.

Differs: Images of 14 x 14 pixels below the full scale; float64, so that an equality can be told
    from a likeness. The learning rate is set from the image, a share of 1 / |t|^2, at which a
    hundred updates suffice. Correlation here is the cosine <x, t> / |x| |t|, in which the theorem
    is exact, not centred as in the other phenomena of this task. The paper's bound for the
    convolution, O(m (m/C - r) / C), is not used: the exact error follows from the same formula.

In practice: Descent changes a layer only on the span of what it has seen; what lies off it is
    answered by the initialization. For inputs unlike all training data, ask which part of a layer
    was ever trained. A convolution trains on patches, and one image spans them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Verdict,
    exceeds,
    judge,
    lies_within,
    not_in_design,
    stays_below,
    told,
    unmeasured,
)
from overparam.models import linear_model, same_convnet
from overparam.phenomena.identity._left_out import unfitted
from overparam.phenomena.identity._one_layer import (
    BINS,
    NOTHING,
    LayerProblem,
    cosines,
    layer_problem,
)
from overparam.phenomena.identity._one_layer_figures import (
    error_charts,
    parts_grids,
    settings_table,
)
from overparam.phenomena.identity._one_layer_summary import (
    ADAM,
    FROM_ZERO,
    Summary,
    summarise,
)
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import NOT_JUDGED
from overparam.phenomena.identity._task import IdentityTask, identity_recipe, make_identity_task
from overparam.streams import Streams
from overparam.training.fitted import Fitted
from overparam.training.initialise import materialise
from overparam.training.recipe import Recipe
from overparam.training.train import train

SAME = 1e-6  # brightness; largest deviation from the formula that counts as equality
NOISE = 0.5  # of the random part's expected energy: half way between none and all of it
PREDICTED = 0.1  # relative; 12 seeds of small images come within 0.05, 50 within 0.01
RULE = (
    "Noise: energy of f(x) - P x over the energy that W0 (x - P x) is expected to have with "
    "PyTorch's default start, mean over test inputs. Observed if its 95 % interval over seeds "
    f"lies above {NOISE}, no output of any seed deviates from the formula by more than {SAME:g}, "
    f"and in each of {len(BINS)} bins of correlation with the training image the 95 % interval of "
    f"the squared error over its prediction lies within {PREDICTED:.0%} of 1; absent if one of "
    "these lies wholly beyond its bound; else inconclusive, and so too where a bin has no input. "
    "A control is judged by its own sentence alone: "
    f"{FROM_ZERO} is absent only if its noise is shown to lie below {NOISE}, {ADAM} only if an "
    f"output deviates by more than {SAME:g} in every seed. {NOT_JUDGED}"
)
AROUND_ONE = (1 - PREDICTED, 1 + PREDICTED)
MOMENTUM = 0.9
CONVERGED = 1e-24  # squared error per pixel at which descent stops: nothing is left but rounding
MIXES = (0.25, 0.5, 0.75)  # share of the training image in test inputs that are near it


@dataclass(frozen=True)
class Condition:
    """One layer, its start, and the optimizer."""

    layer: str = factor("fully connected", choices=("fully connected", "convolution"))
    start: str = factor("default", choices=("default", "zero"), doc="W0")
    optimizer: str = factor("sgd", choices=("sgd", "momentum", "adam"))
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1, odd=True, doc="of a convolution")
    side: int = factor(14, unit="pixels", low=8)
    rate: float = factor(0.25, unit="1 / |t|^2", low=1e-6, doc="learning rate")
    adam_rate: float = factor(1e-3, low=1e-8, doc="learning rate of Adam")
    max_steps: int = factor(10_000, unit="updates", low=1)

    @property
    def limits(self) -> tuple[str, str]:
        """Name of the factor that ends the training; no factor sets the loss to fit to."""
        return "max_steps", ""


@dataclass(frozen=True)
class Outcome:
    """How near one trained layer is to the formula, and how far from the identity."""

    n_steps: int = quantity("updates")
    train_loss: float = quantity("squared error per pixel")
    learned: bool = quantity("", "whether the training image was fitted to the loss asked for")
    rank: int = quantity("dimensions", "that the training image, or its patches, span")
    deviation: float = quantity("brightness", "largest from the formula, in the limit")
    deviation_now: float = quantity("brightness", "largest from the formula for n_steps updates")
    noise: float = quantity("of that expected from a default start")
    cosines: Any = quantity("[inputs]", "correlation of the inputs with the training image")
    errors: Any = quantity("[inputs]", "|f(x) - x|^2 / |x|^2")
    predicted: Any = quantity("[inputs]", "expected over random starts")
    outputs: Any = quantity("[shown, h, w]", "brightness")


def cells(base: Condition) -> list[Condition]:
    """Span the fully connected layer's starts and optimizers, and convolutions."""
    settings = [("default", "sgd"), ("zero", "sgd"), ("default", "momentum"), ("default", "adam")]
    dense = [replace(base, start=start, optimizer=optimizer) for start, optimizer in settings]
    convolution = replace(base, layer="convolution", optimizer="momentum")
    sizes = dict.fromkeys((3, base.kernel_size))
    return dense + [replace(convolution, kernel_size=k) for k in sizes]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one layer and hold it against the formula."""
    task = make_identity_task(streams, c.side)
    inputs = unseen_inputs(task)
    model = start_of(c, streams)
    problem = layer_problem(model, task.training, inputs)
    fitted = await train(model, task.train_set, recipe(c, task, problem), streams)
    return compare(c, fitted, problem, task, inputs)


def start_of(c: Condition, streams: Streams) -> nn.Module:
    """Return the layer with its initial weights, in float64."""
    shape = (
        linear_model(c.side**2, c.side**2, bias=False)
        if c.layer == "fully connected"
        else same_convnet(1, 1, c.kernel_size)
    )
    model = materialise(shape, streams, torch.float64)
    if c.start == "zero":
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
    return model


def unseen_inputs(task: IdentityTask) -> Tensor:
    """Return the task's test inputs, and its digits mixed with the training image, `[n, ...]`."""
    digits = task.probe.images[[i for i, k in enumerate(task.probe.kinds) if k == "digit"]]
    mixes = [share * task.training + (1 - share) * digits for share in MIXES]
    return torch.cat([task.probe.images, *mixes]).double()


def recipe(c: Condition, task: IdentityTask, problem: LayerProblem) -> Recipe:
    """Return gradient descent to the end of float64, or Adam until the image is fitted."""
    adam = identity_recipe(
        task.train_set, max_steps=c.max_steps, learning_rate=c.adam_rate, precision="float64"
    )
    if c.optimizer == "adam":
        return adam
    return replace(
        adam,
        optimizer="sgd",
        learning_rate=c.rate / problem.energies[0],
        momentum=MOMENTUM if c.optimizer == "momentum" else 0.0,
        stop_at_loss=CONVERGED * task.train_set.n_outputs,
    )


@torch.no_grad()
def compare(
    c: Condition, fitted: Fitted, problem: LayerProblem, task: IdentityTask, inputs: Tensor
) -> Outcome:
    """Return the trained layer's distance from the formula and from the identity."""
    used = recipe(c, task, problem)
    outputs = fitted.module()(inputs).flatten(1).numpy()
    wanted = inputs.flatten(1).numpy()
    energy, expected = (wanted**2).sum(1), problem.noise()
    noise = ((outputs - problem.projected()) ** 2).sum(1)
    random_part = expected > NOTHING * energy
    share = noise[random_part] / expected[random_part]
    now = np.full_like(outputs, np.nan)  # Adam has no such formula
    if c.optimizer != "adam":
        now = problem.after(fitted.n_steps, used.learning_rate, used.momentum)
    return Outcome(
        n_steps=fitted.n_steps,
        train_loss=fitted.train_loss / task.train_set.n_outputs,
        learned=bool(fitted.train_loss <= (used.stop_at_loss or 0.0)),
        rank=len(problem.energies),
        deviation=float(np.abs(outputs - problem.limit()).max()),
        deviation_now=float(np.abs(outputs - now).max()),
        noise=float(np.mean(share)) if len(share) else np.nan,
        cosines=cosines(inputs, task.training),
        errors=((outputs - wanted) ** 2).sum(1) / energy,
        predicted=problem.predicted_errors(c.start == "default") / energy,
        outputs=outputs[task.shown].reshape(-1, c.side, c.side).astype(np.float16),
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    noise = exceeds("noise, of its expected energy", summary.noise, NOISE)
    deviation = stays_below("deviation from the formula", summary.deviation, SAME)
    ratios = [
        lies_within(f"error over prediction at correlation {at:.2f}", ratio, *AROUND_ONE)
        for at, ratio in zip(summary.cosines, summary.ratios, strict=True)
    ] or [unmeasured("error over prediction", "no layer has fitted its image")]
    ratios += [not_in_design(f"inputs at correlation {a:.2f} to {b:.2f}") for a, b in summary.empty]
    own = {FROM_ZERO: [noise], ADAM: [deviation]}
    clauses = own.get(summary.arm, [noise, deviation, *ratios])
    if summary.arm in own and not summary.left_out.n_planned:
        clauses = [unmeasured(clauses[0].what, "no control was run")]
    return judge(
        [*clauses, *unfitted(summary.left_out)],
        effect=clauses[0].value,
        unit="brightness, largest deviation from the formula"
        if summary.arm == ADAM
        else "of the random part's expected energy",
        rule=RULE,
        reason=f"The noise has {summary.noise} times the energy expected of a default start; "
        f"outputs deviate from the formula by at most {told(summary.deviation.estimate, '.1g')}, "
        f"squared errors from the prediction by at most {told(summary.misprediction, '.1%')} in "
        f"any bin of correlation. {summary.left_out}",
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the error over the correlation, the parts of the outputs, and a table of settings."""
    descents = records.where(layer="fully connected", optimizer="sgd")
    return [
        *error_charts(summaries[TREATMENT], summaries[FROM_ZERO], len(records.seeds)),
        *parts_grids(descents, _shown_problem),
        settings_table(records, whole=not summaries[TREATMENT].n_unmeasured),
    ]


def _shown_problem(c: Condition, streams: Streams) -> tuple[LayerProblem, list[str]]:
    """Return the problem of a default start on the inputs whose outputs are kept, and labels."""
    task = make_identity_task(streams, c.side)
    start = start_of(replace(c, start="default"), streams)
    problem = layer_problem(start, task.training, task.probe.images[task.shown])
    return problem, [task.probe.labels[i] for i in task.shown]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(FROM_ZERO, ADAM),
    scales=three_scales(
        Condition,
        smoke={"kernel_size": 3, "max_steps": 10_000},
        full={},
        n_seeds=(12, 50, 50),
    ),
)
