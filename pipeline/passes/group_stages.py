"""Grouping the stages of a network into kernels.

    depthwise                                   depthwise, pointwise + shortcut, next pointwise
    pointwise + shortcut              ->
    pointwise of the next unit

A stage joins the kernel before it when it reads of that kernel's results only the pixels that it
writes itself: 1x1 convolutions and gates do, 3x3 windows do not, unless they read other tensors.
But a window over the first convolution does, whose rows each strip makes for itself then, and so
does one over the 1x1 convolution that opens its own unit, and one over a unit if what it reads is
larger than what a core keeps in its cache (`windows_over_units.py`).
"""

from dataclasses import dataclass, replace

from pipeline.passes.windows_over_units import lies_over, opening, since_window, tensors_of
from schedules.cpu.adaptive_pool import AdaptivePool
from schedules.cpu.border import Border
from schedules.cpu.channelwise import Channelwise
from schedules.cpu.convolution import Convolution
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.mean import Mean
from schedules.cpu.normalisation import Normalisation
from schedules.cpu.pointwise_parts import Part
from schedules.cpu.scale import Scale
from schedules.machine import Machine

# Operators beyond a unit gain nothing from each other's strips.
LONGEST = 5
# Operators that nothing joins, and those that join nothing either: a convolution has so many
# weights that they, not strips of pixels, are what stays in a cache.
FIRST = (FirstConvolution,)
ALONE = (AdaptivePool, Convolution, Mean, Normalisation)


@dataclass(frozen=True)
class Call:
    """A kernel, and the network's names of what the kernel calls otherwise.

    Kernels name their stages and tensors in order, so that equal units are one kernel.
    """

    kernel: Kernel
    tensors: dict[str, str]
    constants: dict[str, str]

    @property
    def constants_in_order(self) -> list[str]:
        """The network's names of the kernel's constants, as the kernel takes them."""
        return [self.constants[name] for stage in self.kernel.stages for name in stage.constants]


def group_stages(stages: tuple[Stage, ...], result: str, machine: Machine) -> list[Call]:
    """The calls of a network in order."""
    groups: list[list[Stage]] = []
    tensors = tensors_of(stages)
    for stage in stages:
        own = opening(stage, groups[-1], tensors, machine) if groups else []
        if own and own != groups[-1]:
            groups[-1:] = [groups[-1][: -len(own)], own]
        if groups and (_joins(stage, groups[-1]) or lies_over(stage, groups[-1], tensors, machine)):
            groups[-1].append(stage)
        else:
            groups.append([stage])
    calls: list[Call] = []
    begun: set[str] = set()
    for number, group in enumerate(groups):
        later = {name for other in groups[number + 1 :] for s in other for _, name in s.reads}
        calls.append(_call([_beside(stage, begun) for stage in group], later | {result}))
        begun |= {stage.writes for stage in group}
    return calls


def _beside(stage: Stage, begun: set[str]) -> Stage:
    """A stage that also takes the tensor it writes, where earlier kernels filled parts of it."""
    taken = {name for _, name in stage.reads}
    if stage.writes not in begun or stage.writes in taken:
        return stage
    return replace(stage, reads=(*stage.reads, ("beside", stage.writes)))


def _joins(stage: Stage, group: list[Stage]) -> bool:
    """Whether a stage can run strip by strip with the stages of a group."""
    if stage.continues:
        return True
    group = since_window(group)
    if isinstance(stage.work, ALONE) or isinstance(group[0].work, (*ALONE, *FIRST)):
        return False
    rows = {(other.work.target.rows, other.work.target.width) for other in group}
    # A pass over what the stage before it wrote is no operator more.
    full = sum(not _follows(other) for other in group) == LONGEST and not _follows(stage)
    if full or rows != {(stage.work.target.rows, stage.work.target.width)}:
        return False
    written = {other.writes for other in group}
    from_group = {role for role, name in stage.reads if name in written}
    if stage.work.target.pixels == stage.work.target.images:
        return False
    # Of a tensor that the group writes, a residual is read where it is written.
    return not from_group or isinstance(stage.work, Part | Scale | Channelwise)


def _follows(stage: Stage) -> bool:
    return stage.continues or isinstance(stage.work, Channelwise)


def _call(group: list[Stage], later: set[str]) -> Call:
    """The kernel of a group, in names of its own; `later` are tensors that others read."""
    tensors: dict[str, str] = {}
    stages, constants = [], {}
    for number, stage in enumerate(group):
        for _, name in stage.reads:
            tensors.setdefault(name, f"t{len(tensors)}")
        tensors.setdefault(stage.writes, f"t{len(tensors)}")
        own = replace(
            stage,
            name=f"s{number}_{type(stage.work).__name__.lower()}",
            reads=tuple((role, tensors[name]) for role, name in stage.reads),
            writes=tensors[stage.writes],
        )
        stages.append(own)
        for mine, theirs in zip(own.constants, stage.constants, strict=True):
            constants[mine] = theirs
    written = {stage.writes for stage in group}
    scratch = tuple(tensors[name] for name in tensors if name in written and name not in later)
    kernel = Kernel(tuple(stages), scratch)
    # A tensor that comes from another kernel comes with its border.
    borders = {
        stage.writes: Stage(f"border_{stage.writes}", Border(stage.work.target), (), stage.writes)
        for stage in stages
        if stage.work.target.border and stage.writes not in kernel.inputs
    }
    kernel = replace(kernel, stages=(*borders.values(), *stages))
    return Call(kernel, {mine: theirs for theirs, mine in tensors.items()}, constants)
