"""Kernels timed apart in a process of their own, on this machine, its GPU, or a device over RPC.

These processes get a request as JSON and leave a reply: the seconds of every call in the order of
`names`, of whole inferences, the rates of the machine, and whether the output stayed the same.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bench import ACCUMULATORS
from pipeline.bundle import Bundle
from pipeline.device_bench import Place
from pipeline.engines.process import THREAD_VARIABLES
from pipeline.linker import linker_for
from pipeline.models import Model
from pipeline.peak import build_peak
from pipeline.peak_kernel import FUNCTION as PEAK_FUNCTION
from pipeline.peak_kernel import PeakKernel
from pipeline.profiling.bandwidth import FUNCTION as READ_FUNCTION
from pipeline.profiling.bandwidth import build_read, read_kernel
from pipeline.profiling.stamps import Stamped
from pipeline.reply import reply_of
from pipeline.targets import Target
from pipeline.targets.host import last_cache_bytes

HERE, THERE = "pipeline.profiling.replay_worker", "pipeline.profiling.device_worker"
ON_GPU = "pipeline.profiling.cuda_worker"
# Many times the last cache of most machines; where it is not, the rate is that of the cache. To a
# device it has to be sent, and the caches of phones and boards are smaller.
DRAM_BUFFER, DEVICE_DRAM_BUFFER = 256 << 20, 64 << 20
# Of the cores' own caches: so much is read from the last cache, which has to hold twice of it.
BEYOND_OWN = 4
# So often half of the cores' own caches is read, or as much from elsewhere: about a millisecond.
PASSES = 64


@dataclass(frozen=True)
class Subject:
    """What is profiled: a bundle, the model it was made of, and the target."""

    bundle: Bundle
    model: Model
    target: Target


def replayed(subject: Subject, network: Stamped, threads: int, seconds: float) -> dict[str, Any]:
    """What the kernels of a bundle take here; WorkFailedError if its process fails.

    They are timed in a second library of the same kernels that looks at the clock.
    """
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as name:
        folder = Path(name)
        request = _request(subject.bundle, subject.model, seconds, folder)
        request |= _stamped(network, folder, linker_for(subject.target).link)
        machine = subject.target.machine
        beyond = BEYOND_OWN * threads * machine.l2_bytes
        last = {"last cache": beyond} if last_cache_bytes() >= 2 * beyond else {}
        buffers = last | {"DRAM": DRAM_BUFFER}
        request["rates"] = _rates(subject.target, threads, folder, buffers, None)
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
        return reply_of(HERE, request, folder, environment | {"TVM_BIND_THREADS": "1"})


def replayed_on_device(
    subject: Subject, network: Stamped, threads: int, seconds: float, place: Place
) -> dict[str, Any]:
    """The same on a device. Of an emulated one it says {"emulated": True}, and no times."""
    target = subject.target
    link = linker_for(target).link
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as name:
        folder = Path(name)
        request = _request(subject.bundle, subject.model, seconds, folder)
        buffers = {"DRAM": DEVICE_DRAM_BUFFER}
        request["rates"] = _rates(target, threads, folder, buffers, link)
        request |= _stamped(network, folder, link)
        request |= {
            "device": str(place.address),
            "cores": place.cores,
            "threads": threads,
            "architecture": target.architecture,
        }
        return reply_of(THERE, request, folder, dict(os.environ))


def replayed_on_gpu(bundle: Bundle, model: Model, seconds: float) -> dict[str, Any]:
    """The same on the GPU of this machine; WorkFailedError if the process fails."""
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as name:
        folder = Path(name)
        return reply_of(ON_GPU, _request(bundle, model, seconds, folder), folder, dict(os.environ))


def _request(bundle: Bundle, model: Model, seconds: float, folder: Path) -> dict[str, Any]:
    image = folder / "input.npy"
    np.save(image, model.example.numpy())
    return {"library": str(bundle.library.resolve()), "input": str(image), "seconds": seconds}


def _stamped(network: Stamped, folder: Path, link: Callable[..., None]) -> dict[str, Any]:
    library = folder / "stamped.so"
    network.executable.export_library(str(library), fcompile=link)
    return {"stamped": str(library), "names": network.calls}


def _rates(
    target: Target,
    threads: int,
    folder: Path,
    buffers: dict[str, int],
    link: Callable[..., None] | None,
) -> dict[str, dict[str, Any]]:
    """The loops that find the ceilings: multiply-adds, and reading from the cores' own caches and
    from where buffers of those sizes lie."""
    machine = target.machine
    peak = PeakKernel(machine.lanes, ACCUMULATORS[machine.registers], threads, dtype=target.dtype)
    build_peak(peak, target.tvm, folder / "peak.so", link)
    shapes = [[peak.lanes], [peak.outputs]]
    rates = {"peak": _rate(folder / "peak.so", PEAK_FUNCTION, shapes, peak.macs, peak.dtype)}
    near = threads * machine.l2_bytes // 2
    for name, size in ({"cache": near} | buffers).items():
        passes = max(PASSES * near // size, 1)
        kernel = read_kernel(machine.lanes, threads, size, passes)
        library = folder / f"{name}.so"
        build_read(kernel, target.tvm, library, link)
        shapes = [list(kernel.shape), [kernel.tasks, kernel.step]]
        rates[name] = _rate(library, READ_FUNCTION, shapes, kernel.bytes)
    return rates


def _rate(
    library: Path, function: str, shapes: list[list[int]], amount: float, dtype: str = "float32"
) -> dict[str, Any]:
    return {
        "library": str(library), "function": function, "shapes": shapes, "amount": amount,
        "dtype": dtype,
    }  # fmt: skip
