"""Choosing what is fused: for every unit, where its expansion is computed.

    apart      a kernel of its own: no halo, but a launch and two trips of the tensor
    here       in the unit's kernel: no trip at all, but the halo is computed again by each block
    before     at the end of the unit before it: no halo, no launch, two trips

The sum of modelled times is least along the best path through all units: what one unit chooses
matters to the one before it only.
"""

import itertools
from dataclasses import dataclass
from functools import cache

from pipeline.gpu.calls import Call, Expansion, calls_of, can_follow
from pipeline.gpu.units import Unit, find_units, one_operator_each
from pipeline.operators import Network
from schedules.cuda.chain import Chain
from schedules.cuda.operators import hand_tile
from schedules.cuda.tiles import seconds
from schedules.gpu import Gpu

# From the end of a kernel to the begin of the next one in a graph; published figures for recent
# GPUs lie about here.
LAUNCH_SECONDS = 1.2e-6


@dataclass(frozen=True)
class _Path:
    """Choices for the units so far, and the modelled time of the kernels before the last unit's."""

    seconds: float
    choices: tuple[Expansion, ...]


def fused(network: Network, gpu: Gpu) -> list[Call]:
    """The calls of a network, fused as a model of bytes, repeated work and launches finds best."""
    units = find_units(network)
    follows = [can_follow(network, *pair) for pair in itertools.pairwise(units)]

    @cache
    def cost(number: int, expansion: Expansion, followed: bool) -> float:
        follower = units[number + 1] if followed else None
        calls = calls_of(network, units[number], expansion, follower)
        return sum(call_seconds(call, gpu) for call in calls)

    paths: dict[Expansion, _Path] = {}
    for choice in _choices(units[0], False):
        paths[choice] = _Path(0.0, (choice,))
    for number in range(1, len(units)):
        paths = {
            choice: min(
                (_longer(path, cost(number - 1, path.choices[-1], choice == "before"), choice)
                 for path in paths.values()),
                key=lambda path: path.seconds,
            )
            for choice in _choices(units[number], follows[number - 1])
        }  # fmt: skip
    last = len(units) - 1
    best = min(paths.values(), key=lambda path: path.seconds + cost(last, path.choices[-1], False))
    return _calls(network, units, best.choices)


def apart(network: Network) -> list[Call]:
    """The calls of a network, one kernel an operator."""
    units = one_operator_each(network)
    return [call for unit in units for call in calls_of(network, unit, "apart", None)]


def call_seconds(call: Call, gpu: Gpu) -> float:
    """Modelled time of a kernel with its launch."""
    if not isinstance(call.work, Chain):
        return LAUNCH_SECONDS
    tile = hand_tile(call.work, gpu)
    return LAUNCH_SECONDS + seconds(call.work, tile, gpu)


def _choices(unit: Unit, follows: bool) -> list[Expansion]:
    if not (unit.expand and unit.window and unit.project):
        return ["apart"]
    return ["apart", "here", *(["before"] if follows else [])]  # type: ignore[list-item]


def _longer(path: _Path, seconds: float, choice: Expansion) -> _Path:
    return _Path(path.seconds + seconds, (*path.choices, choice))


def _calls(network: Network, units: list[Unit], choices: tuple[Expansion, ...]) -> list[Call]:
    calls = []
    for number, (unit, choice) in enumerate(zip(units, choices, strict=True)):
        followed = number + 1 < len(units) and choices[number + 1] == "before"
        follower = units[number + 1] if followed else None
        calls += calls_of(network, unit, choice, follower)
    return calls
