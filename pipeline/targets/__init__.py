"""Targets by name."""

import difflib

from pipeline.errors import RequestError
from pipeline.targets.arm import CORES, arm, in_half
from pipeline.targets.gpu import GPUS, LOCAL, GpuTarget, host_of
from pipeline.targets.host import host
from pipeline.targets.target import Target
from pipeline.targets.x86 import LEVELS, x86
from schedules.gpu import Gpu

__all__ = ["GpuTarget", "Target", "gpu_target", "host", "is_gpu", "names", "target_named"]

DTYPES = ("float32", "float16")


def names() -> list[str]:
    """The targets by name."""
    return ["host", *LEVELS, *CORES, LOCAL, *GPUS]


def target_named(name: str, system: str = "linux", dtype: str = "float32") -> Target:
    """The CPU of that name, with code for "linux" or "android" in that arithmetic.

    RequestError names the nearest ones, or says what the target lacks.
    """
    _require_dtype(dtype)
    target = _target(name, system)
    return target if dtype == "float32" else in_half(target)


def is_gpu(name: str) -> bool:
    """Whether a name, or the first of several after commas, is that of a GPU."""
    return name.split(",")[0].strip() in (LOCAL, *GPUS)


def gpu_target(name: str, dtype: str = "float32") -> GpuTarget:
    """The GPUs of these names, after commas; tiles are chosen for the first.

    RequestError for one that is unknown, for GPUs beside CPUs of different kinds, or if this
    machine's is asked for and there is none.
    """
    _require_dtype(dtype)
    gpus = [_gpu(word.strip()) for word in name.split(",")]
    hosts = [host_of(gpu) for gpu in gpus]
    if len({one.triple for one in hosts}) > 1:
        listed = ", ".join(f"{g.name} ({h.architecture})" for g, h in zip(gpus, hosts, strict=True))
        raise RequestError(f"one bundle is for one kind of CPU, and these differ: {listed}")
    return GpuTarget(gpus[0], hosts[0], tuple(dict.fromkeys(gpus[1:])), dtype)


def _require_dtype(dtype: str) -> None:
    if dtype not in DTYPES:
        raise RequestError(f"unknown arithmetic {dtype!r}; known: {', '.join(DTYPES)}")


def _gpu(name: str) -> Gpu:
    if name == LOCAL:
        # It asks the runtime, which is not there on every machine that compiles.
        from pipeline.gpu.local import require_gpu

        return require_gpu(f"--target {LOCAL}")
    if name not in GPUS:
        near = difflib.get_close_matches(name, [LOCAL, *GPUS], cutoff=0.3) or [LOCAL, *GPUS]
        raise RequestError(f"unknown GPU {name!r}; nearest: {', '.join(near)}")
    return GPUS[name]


def _target(name: str, system: str) -> Target:
    if is_gpu(name):
        raise RequestError(f"{name} is a GPU, which this command does not serve; name a CPU")
    if name in CORES:
        return arm(name, system)
    if name in ("host", *LEVELS):
        if system != "linux":
            raise RequestError(f"{name} runs Linux, not {system}; name a core, as cortex-a76")
        return host() if name == "host" else x86(name)
    near = difflib.get_close_matches(name, names(), cutoff=0.3) or names()
    raise RequestError(f"unknown target {name!r}; nearest: {', '.join(near)}")
