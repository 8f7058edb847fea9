"""The profile of a network on a GPU, as the file of a profile holds it."""

from pipeline.profiling.timed_call import TimedCall
from pipeline.results import Record


class GpuCall(TimedCall):
    """One kernel call on a GPU. Its `edge_bytes` are those of every tensor and weight, once.

    `matrices` says whether its products run on tensor cores. It cannot take less than `bound_ms` by
    the model whose formula stands in the profile, its launch left out, because of what `bound_by`
    names.
    """

    matrices: bool
    bound_ms: float
    bound_by: str


class GpuProfile(Record):
    """One network on a GPU. `whole_ms` is p50 of undivided inferences, replays of one CUDA graph
    with `nodes`; the time of a call is that of its kernel alone, many times in a graph of its own.

    `peak_gmacs` are those of the fastest unit for this arithmetic, by the GPU's record.
    """

    model: str
    target: str
    gpu: str
    architecture: int
    batch: int
    input_size: tuple[int, int]
    dtype: str
    parameters: int
    library_bytes: int
    nodes: int
    whole_ms: float
    peak_gmacs: float
    bound_formula: str
    calls: list[GpuCall]

    @property
    def title(self) -> str:
        """The network, and with what."""
        return f"{self.model} on {self.gpu}, batch {self.batch}, {self.dtype}"

    @property
    def kernels_ms(self) -> float:
        """The sum over all calls."""
        return sum(call.ms for call in self.calls)

    @property
    def bound_ms(self) -> float:
        """That of the bounds."""
        return sum(call.bound_ms for call in self.calls)

    @property
    def gap(self) -> float:
        """By what share the kernels add up to more than the whole."""
        return self.kernels_ms / self.whole_ms - 1
