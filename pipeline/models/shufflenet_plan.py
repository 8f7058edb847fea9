"""How many channels and units each ShuffleNet v1 has.

Zhang et al. 2017 give the channels at 1.0x; other widths multiply them, and every grouped
convolution needs channels that its groups divide. Where they do not:

* the bottleneck, a quarter of the unit's output rounded down, is rounded up to a multiple of the
  groups: stage 2 of 0.5x-g4 gets 36 channels instead of 34;
* the first convolution is rounded up to a multiple of the groups, because the first unit's second
  pointwise convolution makes `output - input` channels: 0.5x-g8 starts with 16 instead of 12.

With that, every width goes with every group count. At 1.0x nothing is rounded.

A shallow network has half of the units of each stage (26 layers). Half the units alone would cost
22 M multiply-adds at 0.5x-g3, and the paper reports 40 M, the cost of the deep network; so its
layers are wider by the square root of two, which keeps the cost when the depth is halved. The
paper does not list the channels; 168, 336 and 672 after a first convolution of 18 give 39.8 M.
"""

import math
from dataclasses import dataclass

from pipeline.errors import RequestError

# Output channels of stage 2 at 1.0x by groups; each later stage doubles them.
STAGE_2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
# Channels of the first convolution by width. 1.5x keeps the 24 of 1.0x: only so does 1.5x-g3 cost
# the 292 M multiply-adds of the paper (36 channels would make it 300 M).
FIRST_CHANNELS = {0.25: 6, 0.5: 12, 1.0: 24, 1.5: 24, 2.0: 48}
DEEP_UNITS = (4, 8, 4)
SHALLOW_UNITS = (2, 4, 2)
# A bottleneck has a quarter of the unit's output channels.
BOTTLENECK = 4


@dataclass(frozen=True)
class Variant:
    """One member of the family, as its name says it."""

    width: float
    groups: int
    squeeze: bool = False
    shallow: bool = False


@dataclass(frozen=True)
class Stage:
    """Units of one resolution: how many, their output channels and their bottleneck's."""

    units: int
    channels: int
    bottleneck: int


@dataclass(frozen=True)
class Plan:
    """All sizes of one network; `squeeze` adds squeeze-and-excitation to each unit.

    `shuffled` and `grouped_first` are otherwise than in the paper in studies only.
    """

    first_channels: int
    stages: tuple[Stage, ...]
    groups: int
    squeeze: bool
    shuffled: bool = True
    grouped_first: bool = False


def plan(variant: Variant) -> Plan:
    """The sizes of `variant`; RequestError if the paper has no such width or groups."""
    if variant.width not in FIRST_CHANNELS:
        raise RequestError(f"no ShuffleNet {variant.width}x; widths: {_listed(FIRST_CHANNELS)}")
    if variant.groups not in STAGE_2_CHANNELS:
        raise RequestError(
            f"ShuffleNet has no channels for {variant.groups} groups; "
            f"groups that work: {_listed(STAGE_2_CHANNELS)}"
        )
    units = SHALLOW_UNITS if variant.shallow else DEEP_UNITS
    channels = _stage_2_channels(variant)
    stages = tuple(
        _stage(count, channels * 2**index, variant.groups) for index, count in enumerate(units)
    )
    return Plan(_first_channels(variant), stages, variant.groups, variant.squeeze)


def _listed(known: dict[float, int] | dict[int, int]) -> str:
    return ", ".join(str(key) for key in known)


def _stage_2_channels(variant: Variant) -> int:
    channels = STAGE_2_CHANNELS[variant.groups] * variant.width
    if not variant.shallow:
        return int(channels)
    step = BOTTLENECK * variant.groups
    return round(channels * math.sqrt(2) / step) * step


def _first_channels(variant: Variant) -> int:
    widening = math.sqrt(2) if variant.shallow else 1
    return _round_up(FIRST_CHANNELS[variant.width] * widening, variant.groups)


def _stage(units: int, channels: int, groups: int) -> Stage:
    return Stage(units, channels, _round_up(channels // BOTTLENECK, groups))


def _round_up(channels: float, step: int) -> int:
    return math.ceil(channels / step) * step
