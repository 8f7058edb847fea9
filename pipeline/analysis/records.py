"""What an analysis finds, as `--json` writes it."""

from typing import Literal

from pydantic import Field, computed_field

from pipeline.results import Record

Level = Literal["L1", "L2", "memory"]


class LoopFacts(Record):
    """A loop of a kernel's code; counts are of one turn and leave out the loops within it.

    `multiplies` are vector multiply-adds, `macs` the multiply-adds of single values that all make.
    `spills` are those of the loads and stores, and of operands in memory, that are of the stack.
    `runs` are turns in a call of the kernel, None where they are not known; `cycles` of a turn.
    """

    innermost: bool
    runs: float | None
    instructions: int
    multiplies: int
    macs: int
    scalar_macs: int
    loads: int
    stores: int
    spills: int
    others: int
    cycles: float
    share_of_peak: float


class KernelFacts(Record):
    """A kernel of a network. `bytes` are its tensors and weights, each once, and `level` the first
    cache that they all fit. Cycles are of one call."""

    function: str
    operators: list[str]
    output: str
    calls: int
    source: str
    macs: int
    bytes: int
    level: Level
    compute_cycles: float
    memory_cycles: float
    loops: list[LoopFacts]

    @property
    def cycles(self) -> float:
        """The modelled bound of a call."""
        return max(self.compute_cycles, self.memory_cycles)

    @property
    def inner(self) -> list[LoopFacts]:
        """The innermost loops that multiply."""
        return [loop for loop in self.loops if loop.innermost and loop.macs]


class Analysis(Record):
    """The code of a network for one kind of core, and the least time that the models allow it.

    `model_of_core` is the core that llvm-mca modelled, None where counts alone were at hand.
    """

    kind: Literal["shufflenet-tvm analysis for a CPU"] = "shufflenet-tvm analysis for a CPU"
    schema_version: Literal[1] = Field(default=1, alias="schema")
    model: str
    target: str
    dtype: str
    input_size: tuple[int, int]
    batch: int
    ghz: float
    model_of_core: str | None
    formula: str
    kernels: list[KernelFacts]
    bound_ms: float
    peak_ms: float

    @property
    def inner(self) -> list[tuple[float, LoopFacts]]:
        """The innermost loops that multiply, with their turns in an inference."""
        return [
            (kernel.calls * loop.runs, loop)
            for kernel in self.kernels
            for loop in kernel.inner
            if loop.runs is not None
        ]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def instructions_per_multiply(self) -> float:
        """Instructions for each vector multiply-add in the innermost loops, by their turns."""
        multiplies = sum(turns * loop.multiplies for turns, loop in self.inner)
        return sum(turns * loop.instructions for turns, loop in self.inner) / max(multiplies, 1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def vector_share(self) -> float:
        """The share of the multiply-adds that vector instructions make."""
        loops = [(k.calls * (one.runs or 0), one) for k in self.kernels for one in k.loops]
        scalar = sum(turns * one.scalar_macs for turns, one in loops)
        return 1 - scalar / max(sum(turns * one.macs for turns, one in loops), 1)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def spills(self) -> int:
        """Accesses to the stack in the innermost loops that multiply."""
        return sum(loop.spills for kernel in self.kernels for loop in kernel.inner)
