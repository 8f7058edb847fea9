"""A kernel call with its time, on a CPU or a GPU."""

from typing import Literal

from pipeline.results import Record


class TimedCall(Record):
    """One kernel call. `paths` are the PyTorch modules of its `operators`, in order.

    `edge_bytes` are those of the tensors it reads and writes.
    """

    function: str
    path: str
    paths: list[str]
    operators: list[str]
    output: str
    source: Literal["tuned", "hand", "default", ""]
    ms: float
    macs: int
    edge_bytes: int

    @property
    def gmacs(self) -> float:
        """Thousand million multiply-adds a second."""
        return self.macs / 1e6 / self.ms

    @property
    def intensity(self) -> float:
        """Multiply-adds a byte at the edge of the kernel."""
        return self.macs / self.edge_bytes if self.edge_bytes else 0.0
