"""What kernels for GPUs are called after."""

from schedules.cuda.chain import Chain
from schedules.cuda.operators import Work

STEPS = ("expand", "window", "project", "follow", "pool")


def steps_of(work: Work) -> list[str]:
    """The steps of a kernel in order."""
    if not isinstance(work, Chain):
        return [type(work).__name__.lower()]
    return [step for step in STEPS if getattr(work, step)]
