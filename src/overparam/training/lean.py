"""The form in which a module runs fastest by itself, where that is proved to change nothing.

Images are laid out with channels last, as the convolutions of processors and GPUs want them; in an
`nn.Sequential`, pooling goes before its ReLU, and normalization, pooling and ReLU become one
compiled layer (`native/normalise.py`). Decision 0001 has the measurements. None of this is right
for every module: an owner may read inside its Sequential, a `view` may need another layout, and
dropout draws in the order of memory. So a form is taken only if

1. each Sequential that is rewritten was seen to be called as a whole, never layer by layer, and
2. the module in that form gives the outputs, gradients and buffers that it gives as it is, in
   float64, on rows of its own data, in training and in evaluation mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

import torch
from torch import Tensor, nn

from overparam.training.copies import cast, copy_module, state_of
from overparam.training.describe import describe_settings
from overparam.training.losses import loss_values
from overparam.training.modes import Modes
from overparam.training.native.normalise import FusedNorm, fuse
from overparam.training.plain import has_global_hooks, repeated, why_not_plain_layer
from overparam.training.proofs import Answers, kind_of, methods_of
from overparam.training.recipe import LossFunction
from overparam.training.undisturbed import undisturbed

# In float64, where other orders of sums make 1e-12: of the length of each tensor, and of all.
_DISAGREEMENT, _ROUNDING = 1e-8, 1e-12
_N_PASSES = 3  # whose outputs are compared: two in training mode, one in evaluation mode


@dataclass(frozen=True)
class Form:
    """How a module is run; as it is by default.

    Attributes:
        containers: names of the Sequentials that are rewritten. channels_last: of images.
    """

    containers: frozenset[str] = frozenset()
    channels_last: bool = False

    def apply(self, module: nn.Module) -> nn.Module:
        """Rewrite the module's containers in place; return it."""
        for name in self.containers:
            container = module.get_submodule(name)
            assert isinstance(container, nn.Sequential)
            fuse(lean(container))
        return module

    def lay_out(self, inputs: Tensor) -> Tensor:
        """Return a batch in this form's layout."""
        if self.channels_last and inputs.ndim == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs


def fastest_form(
    module: nn.Module, loss: str | LossFunction, inputs: Tensor, labels: Tensor
) -> Form:
    """Return the fastest form that is proved on these rows; the module is not changed.

    Cost: a few passes over the rows, in float64; of models of PyTorch's own layers once per kind
    (see `proofs.py`), on rows and weights that reach every layer.
    """
    images = inputs.ndim == 4 and inputs.is_floating_point()
    if not images or not any(isinstance(p, nn.Conv2d | nn.BatchNorm2d) for p in module.modules()):
        return Form()
    kind = None if callable(loss) else kind_of(module)
    of_rows = (inputs.shape, inputs.dtype, labels.shape, labels.dtype)
    key = None if kind is None else (kind, methods_of(FusedNorm), loss, *of_rows)
    return _FORMS.once(
        key, lambda: _prove(module, loss, inputs, labels), attrgetter("for_kind")
    ).form


@dataclass(frozen=True)
class _Proved:
    """A form, and whether other weights would say the same."""

    form: Form
    for_kind: bool = False


_FORMS = Answers()


def _prove(module: nn.Module, loss: str | LossFunction, inputs: Tensor, labels: Tensor) -> _Proved:
    inputs = inputs.double()
    labels = labels.double() if labels.is_floating_point() else labels
    rows = (loss, inputs, labels)
    try:
        seen = _called_as_a_whole(module, *rows)
        wanted = _observed(module, Form(), *rows)
    except Exception:  # not in float64, or not on so few rows: then it stays as it is
        return _Proved(Form())
    for_kind = _reach_all(wanted[_N_PASSES : _N_PASSES + len(list(module.parameters()))])
    for form in dict.fromkeys((Form(seen, True), Form(frozenset(), True), Form(seen, False))):
        try:
            if _agree(wanted, _observed(module, form, *rows)):
                return _Proved(form, for_kind)
        except Exception:  # a layout or an order that the module cannot do
            continue
    return _Proved(Form(), for_kind)


def _reach_all(gradients: list[Tensor]) -> bool:
    """Whether every weight has a gradient: rows or weights of 0 would agree in any form."""
    weights = [g for g in gradients if g.ndim > 1]
    return bool(weights) and all(bool(g.isfinite().all() and g.any()) for g in weights)


def lean(container: nn.Sequential) -> nn.Sequential:
    """Let the container compute the same, values and gradients, with less work; return it.

    A max-pooling of windows of one entry is left out, and a ReLU before a max-pooling moves
    behind it, where fewer entries are left: max(relu(x)) = relu(max(x)), and the gradient goes to
    the same entry, or to none where the largest is not positive. Layers with parameters stay
    where they are, so that names do not change.

    >>> lean(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)))[0]
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """
    for i, layer in enumerate(container):
        if type(layer) is not nn.MaxPool2d or layer.return_indices or why_not_plain_layer(layer):
            continue
        before = container[i - 1] if i > 0 else None
        if (layer.kernel_size, layer.stride, layer.padding) == (1, 1, 0):
            container[i] = nn.Identity()
        elif type(before) is nn.ReLU and not why_not_plain_layer(before):
            container[i - 1], container[i] = layer, before
    return container


def _called_as_a_whole(
    module: nn.Module, loss: str | LossFunction, inputs: Tensor, labels: Tensor
) -> frozenset[str]:
    """Return the names of Sequentials whose layers are called by them alone."""
    if has_global_hooks():
        return frozenset()
    copied = cast(copy_module(module), torch.float64)
    again, calls = repeated(copied), dict.fromkeys(map(id, copied.modules()), 0)

    def count(part: nn.Module, arguments: object) -> None:
        calls[id(part)] += 1

    candidates = {
        name: part
        for name, part in copied.named_modules()
        if type(part) is nn.Sequential
        and not why_not_plain_layer(part)
        and not any(id(p) in again for p in (part, *part))
    }
    for part in copied.modules():
        part.register_forward_pre_hook(count)
    modes = Modes(copied)
    with undisturbed():
        for training in (True, False):
            modes.set(training)
            copied(inputs)
    return frozenset(
        name
        for name, part in candidates.items()
        if calls[id(part)] and all(calls[id(layer)] == calls[id(part)] for layer in part)
    )


def _observed(
    module: nn.Module, form: Form, loss: str | LossFunction, inputs: Tensor, labels: Tensor
) -> list[Tensor]:
    """Return what two passes with gradients and one without give, and the state they leave."""
    copied = cast(copy_module(module), torch.float64)
    modes = Modes(copied)
    form.apply(copied)
    modes.set(True)
    before = describe_settings(copied)
    inputs, seen = form.lay_out(inputs), []
    with undisturbed():
        for _ in range(2):
            with torch.enable_grad():
                outputs = copied(inputs.clone()).flatten(1)
                loss_values(loss, outputs, labels).mean().backward()
            seen.append(outputs.detach())
        modes.set(False)
        with torch.no_grad():
            seen.append(copied(inputs.clone()).flatten(1))
    modes.set(True)
    if before is None or before != describe_settings(copied):
        raise ValueError("more of the module changes in training than its tensors")
    for _, parameter in sorted(copied.named_parameters()):
        seen.append(torch.zeros(()) if parameter.grad is None else parameter.grad)
    return seen + [v for _, v in sorted(state_of(copied).items())]


def _agree(wanted: list[Tensor], found: list[Tensor]) -> bool:
    whole = sum(float(a.detach().double().square().sum()) for a in wanted) ** 0.5
    for a, b in zip(wanted, found, strict=True):
        a, b = a.detach().double(), b.detach().double()
        if a.shape != b.shape:
            return False
        # Where a gradient is 0 but for rounding, its own length says nothing.
        if not float((a - b).norm()) <= _DISAGREEMENT * float(a.norm()) + _ROUNDING * whole:
            return False
    return True
