"""Choosing what is fused: for every unit, where its expansion is computed.

    apart      a kernel of its own: no halo, but a launch and two trips of the tensor
    here       in the unit's kernel: no trip at all, but the halo is computed again by each block
    before     at the end of the unit before it: no halo, no launch, two trips

The mean over the last map is apart, or at the end of the unit before it, whose result then makes no
trip.

The sum of modelled times is least along the best path through all units: what one unit chooses
matters to the one before it only. Paths as fast as the model can tell are found by putting a price
on bytes.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from pipeline.gpu.bound import device_bytes
from pipeline.gpu.calls import Call, Expansion, calls_of
from pipeline.gpu.follow import can_follow
from pipeline.gpu.launch import LAUNCH_SECONDS
from pipeline.gpu.pack import as_fragments
from pipeline.gpu.units import Unit, find_units, one_operator_each
from pipeline.operators import Network
from schedules.cuda.chain import Chain
from schedules.cuda.operators import Work
from schedules.cuda.tiles import chosen, least_seconds, streaming_seconds
from schedules.gpu import Gpu

# The count of cycles is no closer than this to the truth; the bytes are certain.
MODEL_ERROR = 0.03
# What a byte may cost of the time that it takes at full bandwidth, beside what it adds to the
# modelled time: from much to nothing.
PRICES = (16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.0)


@dataclass(frozen=True)
class _Cost:
    """Modelled seconds of some kernels with their launches, and bytes through device memory."""

    seconds: float
    bytes: int

    def __add__(self, other: "_Cost") -> "_Cost":
        return _Cost(self.seconds + other.seconds, self.bytes + other.bytes)


@dataclass(frozen=True)
class _Path:
    """Choices for the units so far, and the cost of the kernels before the last unit's."""

    cost: _Cost
    choices: tuple[Expansion, ...]


Costs = Callable[[int, Expansion, bool], _Cost]


def fused(network: Network, gpu: Gpu) -> list[Call]:
    """The calls of a network, fused as a model of bytes, repeated work and launches finds best: of
    those whose times the model does not tell apart, the ones that move the fewest bytes."""
    units = find_units(network)
    follows = [can_follow(network, *pair) for pair in itertools.pairwise(units)]
    options = [_choices(*pair) for pair in zip(units, [False, *follows], strict=True)]

    @cache
    def cost(number: int, expansion: Expansion, followed: bool) -> _Cost:
        follower = units[number + 1] if followed else None
        calls = calls_of(network, units[number], expansion, follower)
        return _Cost(
            sum(call_seconds(call, gpu) for call in calls),
            sum(device_bytes(_chosen(call, gpu)) for call in calls),
        )

    paths = [_best(options, cost, price / gpu.bandwidth) for price in PRICES]
    most = min(path.cost.seconds for path in paths) * (1 + MODEL_ERROR)
    close = [path for path in paths if path.cost.seconds <= most]
    best = min(close, key=lambda path: path.cost.bytes)
    return [_on_units(call, gpu) for call in _calls(network, units, best.choices)]


def _best(options: list[list[Expansion]], cost: Costs, price: float) -> _Path:
    """The choices for all units whose kernels cost least, with a price in seconds on a byte."""

    def priced(path: _Path) -> float:
        return path.cost.seconds + price * path.cost.bytes

    paths = [_Path(_Cost(0.0, 0), (choice,)) for choice in options[0]]
    for number, choices in enumerate(options[1:]):
        paths = [
            min((_longer(path, cost(number, path.choices[-1], choice == "before"), choice)
                 for path in paths), key=priced)
            for choice in choices
        ]  # fmt: skip
    last = len(options) - 1
    ends = [_Path(path.cost + cost(last, path.choices[-1], False), path.choices) for path in paths]
    return min(ends, key=priced)


def apart(network: Network) -> list[Call]:
    """The calls of a network, one kernel an operator."""
    units = one_operator_each(network)
    return [call for unit in units for call in calls_of(network, unit, "apart", None)]


def call_seconds(call: Call, gpu: Gpu) -> float:
    """Modelled time of a kernel with its launch; without end if no tile fits the GPU, or none
    leaves room for enough warps."""
    if not isinstance(call.work, Chain):
        return LAUNCH_SECONDS + streaming_seconds(device_bytes(call.work), gpu)
    return LAUNCH_SECONDS + least_seconds(chosen(call.work, gpu), gpu)


def _on_units(call: Call, gpu: Gpu) -> Call:
    """The call, with its products on tensor cores if the model finds them faster there."""
    work = _chosen(call, gpu)
    if not isinstance(work, Chain) or not work.matrices:
        return call
    return replace(call, work=work, constants=as_fragments(work, call.constants))


def _chosen(call: Call, gpu: Gpu) -> Work:
    return chosen(call.work, gpu) if isinstance(call.work, Chain) else call.work


def _choices(unit: Unit, follows: bool) -> list[Expansion]:
    here: list[Expansion] = ["here"] if unit.expand and unit.window and unit.project else []
    before: list[Expansion] = ["before"] if follows else []
    return ["apart", *here, *before]


def _longer(path: _Path, cost: _Cost, choice: Expansion) -> _Path:
    return _Path(path.cost + cost, (*path.choices, choice))


def _calls(network: Network, units: list[Unit], choices: tuple[Expansion, ...]) -> list[Call]:
    calls = []
    for number, (unit, choice) in enumerate(zip(units, choices, strict=True)):
        followed = number + 1 < len(units) and choices[number + 1] == "before"
        follower = units[number + 1] if followed else None
        calls += calls_of(network, unit, choice, follower)
    return calls
