"""Targets by name."""

import difflib

from pipeline.errors import RequestError
from pipeline.targets.arm import CORES, arm, in_half
from pipeline.targets.host import host
from pipeline.targets.target import Target

__all__ = ["Target", "host", "names", "target_named"]

DTYPES = ("float32", "float16")


def names() -> list[str]:
    """The targets by name."""
    return ["host", *CORES]


def target_named(name: str, system: str = "linux", dtype: str = "float32") -> Target:
    """The target of that name, with code for "linux" or "android" in that arithmetic.

    RequestError names the nearest ones, or says what the target lacks.
    """
    if dtype not in DTYPES:
        raise RequestError(f"unknown arithmetic {dtype!r}; known: {', '.join(DTYPES)}")
    target = _target(name, system)
    return target if dtype == "float32" else in_half(target)


def _target(name: str, system: str) -> Target:
    if name in CORES:
        return arm(name, system)
    if name == "host":
        if system != "linux":
            raise RequestError(f"host runs Linux, not {system}; name a core, as cortex-a76")
        return host()
    near = difflib.get_close_matches(name, names(), cutoff=0.3) or names()
    raise RequestError(f"unknown target {name!r}; nearest: {', '.join(near)}")
