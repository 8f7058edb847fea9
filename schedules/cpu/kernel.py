"""A kernel: stages that run one after the other inside each strip of pixels.

    for strip in parallel:
        depthwise(strip)            # what a stage writes and the next one reads in the same strip
        pointwise(strip)            # is still in the cache
        next unit's pointwise(strip)

A stage may read of an earlier stage's result nothing that lies outside its own strip: so a window
may read what the kernel does not write, or what each strip makes for itself (`overlap.py`).
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.operators import Work, operator
from schedules.cpu.overlap import overlapping, windows
from schedules.cpu.pointwise_parts import Part
from schedules.frame import Frame, Planes


@dataclass(frozen=True)
class Stage:
    """One operator, the tensors it reads by role, and the one it writes.

    The roles are "data", "residual", "gate" and "beside". A stage may write the tensor that it
    reads as its residual: every element is read before it is written. What it takes as "beside" is
    the tensor of which it writes some channels and leaves the others, which are there already.
    """

    name: str
    work: Work
    reads: tuple[tuple[str, str], ...]
    writes: str

    @property
    def constants(self) -> dict[str, tuple[int, ...]]:
        """Packed constants of the stage by parameter name, with their shapes."""
        shapes = operator(self.work).weight_shapes(self.work)
        return {f"{self.name}_{role}": shape for role, shape in shapes.items()}

    @property
    def constant_bytes(self) -> dict[str, int]:
        """Their sizes."""
        return {
            name: np.dtype(self.constant_dtype).itemsize * prod(shape)
            for name, shape in self.constants.items()
        }

    @property
    def constant_dtype(self) -> str:
        """Their type, if there are any."""
        return str(operator(self.work).weight_dtype(self.work))

    @property
    def continues(self) -> bool:
        """Whether it makes further channels of the operator that the stage before it is of."""
        return isinstance(self.work, Part) and self.work.first > 0

    def frame(self, role: str) -> Frame | Planes:
        """How the tensor of a role lies in memory."""
        fields = {"data": "source", "gate": "gate", "residual": "residual"}
        frame: Frame | Planes = getattr(self.work, fields.get(role, "target"))
        return frame


@dataclass(frozen=True)
class Kernel:
    """Stages in order; `scratch` names the tensors that nobody outside reads."""

    stages: tuple[Stage, ...]
    scratch: tuple[str, ...] = ()

    @property
    def frames(self) -> dict[str, Frame | Planes]:
        """Every activation by name."""
        frames: dict[str, Frame | Planes] = {}
        for stage in self.stages:
            for role, name in stage.reads:
                frames.setdefault(name, stage.frame(role))
            frames.setdefault(stage.writes, stage.frame("out"))
        return frames

    @property
    def inputs(self) -> list[str]:
        """Names of the activations that the kernel takes: those that it reads before it writes."""
        written: set[str] = set()
        taken: list[str] = []
        for stage in self.stages:
            taken += [name for _, name in stage.reads if name not in written]
            written.add(stage.writes)
        return list(dict.fromkeys(taken))

    @property
    def updates(self) -> list[str]:
        """Names of the activations that the kernel takes and gives back changed, in place."""
        written = {stage.writes for stage in self.stages}
        return [name for name in self.inputs if name in written]

    @property
    def outputs(self) -> list[str]:
        """Names of the tensors that the kernel fills and gives back."""
        written = dict.fromkeys(stage.writes for stage in self.stages)
        return [name for name in written if name not in (*self.scratch, *self.inputs)]

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return sum(stage.work.macs for stage in self.stages)

    @property
    def multiplies(self) -> int:
        """The multiply-adds that it takes, which may be fewer."""
        works = [stage.work for stage in self.stages]
        return sum(w.multiplies if isinstance(w, FirstConvolution) else w.macs for w in works)

    @property
    def overlaps(self) -> bool:
        """Whether a window reads what the kernel makes, so that strips make some rows twice."""
        return bool(windows(self.stages, self.scratch))

    @property
    def rows(self) -> int:
        """Rows of the result, which strips divide."""
        return int(self.stages[-1].work.target.rows)

    def in_strips(self, rows: int, steps: int | None = None) -> "Kernel":
        """The same on the frames that it has in strips of so many rows, each in so many steps.

        Without steps, all rows of a strip are kept.
        """
        if not self.overlaps:
            return self
        return replace(self, stages=overlapping(self.stages, self.scratch, rows, steps))
