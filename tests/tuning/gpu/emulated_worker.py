"""A worker beside a GPU that is emulated: what it computes is checked, its times are made up.

After a kernel that went astray nothing in its process works any more, as on a GPU.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import tvm

from pipeline.tune.serving import serve
from tests.cuda.emulator import Emulated
from tests.tuning.simulated_worker import SimulatedWorker


class EmulatedPlace:
    """This CPU as a GPU."""

    astray = False

    def __init__(self) -> None:
        self.device = tvm.cpu()
        self.loaded: dict[Path, Any] = {}

    def load(self, library: Path) -> Any:
        """The kernel of a library."""
        self.answer()
        if library not in self.loaded:
            kernel = json.loads(library.read_text())
            self.loaded[library] = partial(self._run, Emulated(kernel["source"]), kernel)
        return {"main": self.loaded[library]}

    def use(self, threads: int) -> None:
        """A GPU has its own."""

    def answer(self) -> None:
        """Nothing, or what the driver says."""
        if self.astray:
            raise RuntimeError("CUDA: an illegal memory access was encountered")

    def _run(self, emulated: Emulated, kernel: dict[str, Any], *tensors: Any) -> None:
        # Of the process: no other connection in it helps.
        EmulatedPlace.astray |= kernel["astray"]
        self.answer()
        named = dict(zip(kernel["roles"], tensors, strict=True))
        arrays = {role: tensor.numpy() for role, tensor in named.items()}
        for role, array in emulated.run("main", kernel["blocks"], arrays).items():
            named[role].copyfrom(array)


class EmulatedWorker(SimulatedWorker):
    """Its place is always the same."""

    def connect(self, request: dict[str, Any]) -> dict[str, Any]:
        """Get hold of it."""
        assert request["processor"] == "cuda"
        self.place = EmulatedPlace()
        return {}


if __name__ == "__main__":
    serve(EmulatedWorker().commands)
