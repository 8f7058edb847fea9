"""The process that measures, here or on a device that a TVM RPC tracker lends.

    {"command": "connect", "device": "local" or "rpc://127.0.0.1:9190/key",
     "processor": "cpu" or "cuda", "session": 120}                                     -> {}
    {"command": "prepare", "inputs": ["x.npz"], "updates": [], "aliases": [], "reference": "r.so",
     "outputs": [[[28, 28, 240], "float32"]], "expected": ["y.npz"]}                   -> {}
    {"command": "load", "library": "k.so"}                                             -> {}
    {"command": "measure", "threads": [2, 1], "repeats": 5, "milliseconds": 4, "slow_above": 1e-4,
     "thorough_below": 9e-5}                                           -> {"seconds": [4e-5, 7e-5]}

`prepare` runs the unscheduled kernel on the arguments of each seed, unless its outputs are there
from an earlier process or from the builder. `measure` checks what `load` loaded on the arguments of
the first seed and times it: shortly, and where that is not above `slow_above`, `repeats` times so
many milliseconds. Where the mean time is below `thorough_below` it is checked on the arguments of
all other seeds. A kernel may crash or never end: then the other side starts another process.
"""

import gc
import statistics
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from numpy.typing import NDArray

from pipeline.tune.place import Place, place_of
from pipeline.tune.serving import Command, serve

Array = NDArray[Any]

# How the message of a candidate that computes something else begins.
WRONG = "wrong output"

# Relative to the largest value; sums of a thousand products in another order differ less.
TOLERANCES = {"float32": 1e-4, "float16": 2e-2}
# The short look: the median of so many times so many milliseconds, so that one interrupt does not
# move it.
LOOKS, LOOK_MS = 3, 1


class Worker:
    """A place to run, the arguments of the kernel that is tuned, and what it should write."""

    place: Place

    @property
    def commands(self) -> dict[str, Command]:
        """What can be asked for."""
        return {
            "connect": self.connect,
            "prepare": self.prepare,
            "load": self.load,
            "measure": self.measure,
            "ping": self.ping,
        }

    def connect(self, request: dict[str, Any]) -> dict[str, Any]:
        """Get hold of the device, or of another session with it."""
        # A device has one session at a time, which ends with the last object that lives there.
        self.__dict__.clear()
        gc.collect()
        self.place = place_of(request["device"], request["processor"], request["session"])
        return {}

    def prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take the arguments of each seed, and the outputs of the reference."""
        self.outputs = request["outputs"]
        self.updates = request["updates"]
        self.inputs = [
            self._tensors(Path(path), dict(request["aliases"])) for path in request["inputs"]
        ]
        paths = [Path(path) for path in request["expected"]]
        if not all(path.exists() for path in paths):
            kernel = self.place.load(Path(request["reference"]))["main"]
            for inputs, path in zip(self.inputs, paths, strict=True):
                np.savez(path, *self._run(kernel, inputs))
        self.expected = [_arrays(path) for path in paths]
        return {}

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Bring a library to the device."""
        self.library = self.place.load(Path(request["library"]))
        return {}

    def measure(self, request: dict[str, Any]) -> dict[str, Any]:
        """Check and time the library at each number of threads."""
        for threads in request["threads"]:
            self.place.use(threads)
            self._checked(0)
        above, below = request["slow_above"], request["thorough_below"]
        look = request | {"repeats": LOOKS, "milliseconds": LOOK_MS}
        seconds = self._times(request if above is None else look)
        if above is not None and mean(seconds) <= above:
            seconds = self._times(request)
        if below is None or mean(seconds) < below:
            for seed in range(1, len(self.inputs)):
                self._checked(seed)
        return {"seconds": seconds}

    def ping(self, _: dict[str, Any]) -> dict[str, Any]:
        """Answer, if the device does."""
        self.place.answer()
        return {}

    def _times(self, request: dict[str, Any]) -> list[float]:
        """The time with each number of threads."""
        seconds = []
        for threads in request["threads"]:
            self.place.use(threads)
            seconds.append(self.timed(request))
        return seconds

    def timed(self, request: dict[str, Any]) -> float:
        """The median time of the loaded library, in seconds."""
        arguments = [*self._fresh(self.inputs[0]), *self._outputs()]
        times = self.place.times(
            self.library, arguments, request["repeats"], request["milliseconds"]
        )
        return float(statistics.median(times))

    def _checked(self, seed: int) -> None:
        outputs = self._run(self.library["main"], self.inputs[seed])
        for output, expected in zip(outputs, self.expected[seed], strict=True):
            check(output, expected)

    def _run(self, kernel: Callable[..., object], inputs: list[Any]) -> list[Array]:
        fresh, outputs = self._fresh(inputs), self._outputs()
        kernel(*fresh, *outputs)
        return [tensor.numpy() for tensor in (*(fresh[at] for at in self.updates), *outputs)]

    def _fresh(self, inputs: list[Any]) -> list[Any]:
        """The inputs, those that the kernel changes as copies."""
        fresh = list(inputs)
        for at in self.updates:
            array = inputs[at].numpy()
            fresh[at] = tvm.runtime.tensor(array, device=self.place.device)
        return fresh

    def _tensors(self, path: Path, aliases: dict[int, int]) -> list[Any]:
        """The arguments in a file; those that are another one's tensor are not copied again."""
        arrays = _arrays(path)
        tensors = {
            at: tvm.runtime.tensor(array, device=self.place.device)
            for at, array in enumerate(arrays)
            if at not in aliases
        }
        return [tensors[aliases.get(at, at)] for at in range(len(arrays))]

    def _outputs(self) -> list[Any]:
        """Outputs in which every element that is never written stays not a number."""
        filled = [np.full(shape, np.nan, dtype) for shape, dtype in self.outputs]
        return [tvm.runtime.tensor(array, device=self.place.device) for array in filled]


def mean(seconds: list[float]) -> float:
    """The geometric mean: a tenth lost at one number of threads costs a tenth at the other."""
    return float(prod(seconds) ** (1 / len(seconds)))


def check(output: Array, expected: Array) -> None:
    """Raise ValueError unless the same elements are written, with the same values."""
    untouched = np.isnan(expected)
    wrong = int((np.isnan(output) != untouched).sum())
    if wrong:
        raise ValueError(f"{WRONG}: {wrong} elements are written that should not be, or not")
    got, wanted = (array[~untouched].astype("float32") for array in (output, expected))
    difference = np.abs(got - wanted).max(initial=0.0)
    error = difference / max(np.abs(wanted).max(initial=0.0), 1e-30)
    if not error <= TOLERANCES[output.dtype.name]:
        raise ValueError(f"{WRONG}: relative error {error:.1e}")


def _arrays(path: Path) -> list[Array]:
    with np.load(path) as file:
        return [file[name] for name in file.files]


if __name__ == "__main__":
    serve(Worker().commands)
