"""The tiles of a whole program for the kernels of one that lacks a step.

Without a step operators have other epilogues and kernels other members, so that no record fits
them. What is compared would then be tiles too: so each operator keeps the tile, and each kernel
the strips, that it has in the whole program.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.build import Served, by_hand
from pipeline.records import canonical, describe_work
from pipeline.targets import Target
from pipeline.tile_fields import fits_kernel, fits_stage, kernel_fields, kernel_tile
from schedules.cpu.border import Border
from schedules.cpu.kernel import Kernel
from schedules.cpu.operators import Work
from schedules.cpu.sharing import Sharing
from schedules.cpu.tiles import hand_tile

# What a step changes of an operator without changing its loops.
CHANGED = ("activation", "residual", "shuffle", "offset")
EXTENTS = ("height", "width", "channels")


class KnownTiles:
    """The tiles of the kernels of one program, by what their operators compute."""

    def __init__(self, served: Mapping[Kernel, Served], target: Target) -> None:
        self._target, self._machine = target, target.machine
        self._stages: dict[str, Any] = {}
        self._strips: dict[str, tuple[int, Sharing]] = {}
        for kernel, one in served.items():
            fields = kernel_fields(kernel, one.tile)
            for stage, tile in zip(kernel.stages, fields["stages"], strict=True):
                if not isinstance(stage.work, Border):
                    self._stages.setdefault(_key(stage.work), tile)
                    strips = one.tile.strip_rows, one.tile.sharing
                    self._strips.setdefault(_key(stage.work), strips)

    def serve(self, kernel: Kernel) -> Served:
        """The tiles of a kernel: those that are known of its operators, and by hand the others."""
        fields = kernel_fields(kernel, hand_tile(kernel, self._machine))
        rows = int(kernel.stages[-1].work.target.rows)
        for at, stage in enumerate(kernel.stages):
            tile = self._stages.get(_key(stage.work))
            if tile is not None and fits_stage(stage, tile, self._machine):
                fields["stages"][at] = tile
        known = [self._strips.get(_key(stage.work)) for stage in kernel.stages]
        strips = next((one for one in known if one and one[0] <= rows), None)
        if strips:
            fields["strip_rows"], fields["sharing"] = strips
        if not fits_kernel(kernel, fields, self._machine):
            return Served(by_hand(kernel, self._target), "hand")
        return Served(kernel_tile(kernel, fields), "hand")


def _key(work: Work) -> str:
    """What an operator computes, whatever follows it and however its tensors lie."""
    described = describe_work(work)
    for name, value in described.items():
        if isinstance(value, dict):
            described[name] = {extent: value.get(extent) for extent in EXTENTS}
    kept = {name: value for name, value in described.items() if name not in CHANGED}
    # A part of a concatenation is a tensor of its own before its epilogue is applied.
    target = kept.get("target")
    if isinstance(target, dict):
        kept["target"] = {name: target[name] for name in ("height", "width")}
    return canonical(kept)
