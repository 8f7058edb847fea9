"""Targets by name."""

import difflib

from pipeline.errors import RequestError
from pipeline.targets.host import host
from pipeline.targets.target import Target

__all__ = ["Target", "host", "names", "target_named"]


def names() -> list[str]:
    """The targets by name."""
    return ["host"]


def target_named(name: str) -> Target:
    """The target of that name; RequestError names the nearest ones."""
    if name == "host":
        return host()
    near = difflib.get_close_matches(name, names(), cutoff=0.3) or names()
    raise RequestError(f"unknown target {name!r}; nearest: {', '.join(near)}")
