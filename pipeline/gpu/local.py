"""The GPU of this machine, if there is one that can be reached."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tvm

from pipeline.errors import RequestError
from pipeline.gpu.runtime import load_runtime
from pipeline.targets.gpu import GPUS, LOCAL
from schedules.gpu import Gpu

NEEDS = (
    "an NVIDIA GPU with its driver and the CUDA 13 runtime (libcudart.so.13, which is in the "
    "package nvidia-cuda-runtime)"
)


def local_gpu(device: Callable[[int], Any] = tvm.cuda) -> Gpu | None:
    """The first GPU: the record of its architecture, with what the device says of itself.

    Of an architecture without a record, that of the nearest one before it is taken.
    """
    load_runtime()
    here = device(0)
    if not here.exist:
        return None
    number = int(str(here.compute_version).replace(".", ""))
    older = [gpu for gpu in GPUS.values() if gpu.architecture <= number]
    record = max(older or GPUS.values(), key=lambda gpu: gpu.architecture if older else -1)
    return replace(
        record,
        name=LOCAL,
        architecture=number,
        multiprocessors=int(here.multi_processor_count),
        clock_hz=float(here.max_clock_rate) * 1e3,
        l2_bytes=int(here.l2_cache_size_bytes),
    )


def require_gpu(purpose: str) -> Gpu:
    """The GPU of this machine; RequestError in one line, with what `purpose` needs."""
    gpu = local_gpu()
    if gpu is None:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = f" (CUDA_VISIBLE_DEVICES is {hidden!r})" if hidden is not None else ""
        raise RequestError(
            f"no GPU in reach{why}: {purpose} needs {NEEDS}; without one, compile and analyze "
            f"work for a GPU by name: {', '.join(GPUS)}"
        )
    return gpu


def runs_code_of(gpu: int, architecture: int) -> bool:
    """Whether a GPU of compute capability gpu / 10 runs code for that architecture: the same
    generation, and not older. A Jetson runs only its own, and no other GPU runs that."""
    if 87 in (gpu, architecture):
        return gpu == architecture
    return gpu // 10 == architecture // 10 and gpu >= architecture


def require_gpu_for(architectures: Sequence[int], purpose: str) -> None:
    """RequestError unless the GPU of this machine runs code for one of the architectures."""
    gpu = require_gpu(purpose)
    if not any(runs_code_of(gpu.architecture, one) for one in architectures):
        listed = ", ".join(f"{one / 10:.1f}" for one in architectures)
        raise RequestError(
            f"the bundle needs a GPU of compute capability {listed}, and the one here has "
            f"{gpu.architecture / 10:.1f}; compile it here with --target {LOCAL}"
        )
