"""Probes: a chapter's task with known answers, put to a network of the user's own.

They stand above the phenomena whose tasks they pose, are asked by commands of their own
(``overparam probe``), and are not listed among the phenomena.
"""

from __future__ import annotations

from importlib import import_module

from overparam.lab.phenomenon import Phenomenon

NAMES = ("identity_probe",)


def find(name: str) -> Phenomenon:
    """Return a probe by one of `NAMES`; a study of it is then opened as any other."""
    return import_module(f"{__name__}.{name}").PHENOMENON
