"""The zoo: modules of all kinds, each with variants that differ from it in one thing.

A member is a line in one of the files below: a name, and the functions that make the module and its
variants. All of them are trained by a plain loop, alone, and side by side, in every way the engine
has.
"""

from __future__ import annotations

from tests.training.zoo.members_alone import POINTS_ALONE
from tests.training.zoo.members_of_images import IMAGES_ALONE, IMAGES_TOGETHER
from tests.training.zoo.members_of_series import OTHERS, SERIES, SERIES_TOGETHER
from tests.training.zoo.members_together import POINTS_TOGETHER

MEMBERS = {
    m.name: m
    for m in [
        *POINTS_TOGETHER,
        *POINTS_ALONE,
        *IMAGES_TOGETHER,
        *IMAGES_ALONE,
        *SERIES,
        *SERIES_TOGETHER,
        *OTHERS,
    ]
}
