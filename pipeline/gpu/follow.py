"""Whether the kernel of a unit can compute the first step of the next one at its end."""

from pipeline.gpu import pack
from pipeline.gpu.units import Unit, readers_after
from pipeline.operators import Network, Operator
from schedules.cuda.vectors import lanes_of


def can_follow(network: Network, unit: Unit, follower: Unit) -> bool:
    """Whether a block that makes some groups of the unit's result has all that the next reads."""
    project, expand = unit.project, follower.expand
    if follower.other is not None:
        return unit.window is not None and _only_mean(network, unit, follower.other)
    if not (unit.window and project and expand and follower.window and follower.project):
        return False
    if expand.data != project.writes or expand.shuffle > 1:
        return False
    channels, made = network.shapes[project.writes][1], len(pack.parameters(project)[0])
    if unit.pool:
        # One block has the channels of both, in their own order.
        both = made + network.shapes[unit.pool.data][1]
        return channels == both and channels // expand.groups % lanes_of(network.dtype) == 0
    return expand.groups == project.groups and channels == made and project.offset == 0


def _only_mean(network: Network, unit: Unit, other: Operator) -> bool:
    """Whether nothing but a mean reads what the unit's projection writes."""
    project = unit.project
    if other.kind != "mean" or project is None or unit.pool is not None:
        return False
    alone = len(pack.parameters(project)[0]) == network.shapes[project.writes][1]
    # Residual units before this one read a tensor of the same name.
    return alone and readers_after(network, project) == [other]
