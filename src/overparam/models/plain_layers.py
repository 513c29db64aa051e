"""Sequential networks of usual layers, written down and built again from what was written.

What a saved network of the package's own families needs so that nobody has to bring its module:
the constructor's arguments of every layer, as plain values. Anything else has no description.
"""

from __future__ import annotations

from typing import Any

from torch import nn

# Constructor arguments that are attributes of the same name; a bias is told by its presence.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "Flatten": ("start_dim", "end_dim"),
    "Linear": ("in_features", "out_features"),
    "Conv2d": (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
        "padding_mode",
    ),
    "BatchNorm2d": ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    "MaxPool2d": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "ReLU": (),
    "Tanh": (),
    "GELU": ("approximate",),
    "Identity": (),
}  # fmt: skip
_WITH_BIAS = ("Linear", "Conv2d")


def describe_layers(module: nn.Module) -> list[list[Any]] | None:
    """Return [kind, arguments] of each layer of a plain `nn.Sequential`; None of any other module.

    >>> describe_layers(nn.Sequential(nn.Linear(3, 2, bias=False)))
    [['Linear', {'in_features': 3, 'out_features': 2, 'bias': False}]]
    >>> describe_layers(nn.Sequential(nn.Linear(3, 2), nn.Dropout())) is None
    True

    What is one tensor in two layers, frozen, or in evaluation mode, is said by `training.marks`.
    """
    if type(module) is not nn.Sequential:
        return None
    layers: list[list[Any]] = []
    for name, layer in module._modules.items():  # one that stands twice is named twice
        kind = type(layer).__name__
        if kind not in _ARGUMENTS or type(layer) is not getattr(nn, kind):
            return None
        if name != str(len(layers)):  # named by the user, and so are the weights
            return None
        arguments = {argument: getattr(layer, argument) for argument in _ARGUMENTS[kind]}
        if kind in _WITH_BIAS:
            arguments["bias"] = layer.bias is not None
        layers.append([kind, arguments])
    return layers


def build_layers(layers: list[list[Any]]) -> nn.Sequential:
    """Return the network that `describe_layers` described, on the meta device.

    Raises:
        KeyError, TypeError, ValueError: it is not such a description.

    >>> build_layers([["Flatten", {"start_dim": 1, "end_dim": -1}]])
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
    )
    """
    made = []
    for kind, arguments in layers:
        known = {*_ARGUMENTS[kind], *(["bias"] if kind in _WITH_BIAS else [])}
        if set(arguments) != known:
            raise ValueError(f"{kind} takes {sorted(known)}")
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
        made.append(getattr(nn, kind)(**values))
    return nn.Sequential(*made).to("meta")
