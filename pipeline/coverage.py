"""Which kernels of a network have tuned numbers, and which share of its time they take."""

from collections.abc import Sequence

from pipeline.errors import RequestError
from pipeline.manifest import KernelEntry


def coverage_text(kernels: Sequence[KernelEntry]) -> str:
    """Calls by source, with the share of the recorded time where every kernel has one."""
    calls = dict.fromkeys(("tuned", "hand", "default"), 0)
    seconds = dict.fromkeys(calls, 0.0)
    for one in kernels:
        calls[one.source] += one.calls
        seconds[one.source] += one.calls * (one.seconds or 0.0)
    timed, whole = all(one.seconds for one in kernels), sum(seconds.values())
    parts = [
        f"{calls[source]} {source}"
        + (f" ({seconds[source] / whole:.0%} of the time)" if timed and calls[source] else "")
        for source in calls
    ]
    refused = sum(one.calls for one in kernels if one.refused)
    return ", ".join(parts) + (f", of which {refused} with a refused record" if refused else "")


def untuned_lines(kernels: Sequence[KernelEntry]) -> list[str]:
    """A line for each kernel whose numbers were not tuned, and why; those with most work first."""
    untuned = [one for one in kernels if one.source != "tuned"]
    return [
        f"{one.source}: {one.function}, {one.calls} call{'s' if one.calls > 1 else ''}: "
        + (f"record refused: {one.refused}" if one.refused else "no record of all of it")
        for one in sorted(untuned, key=lambda one: -one.calls)
    ]


def exceptions(kernels: Sequence[KernelEntry]) -> list[str]:
    """The same of a network that is tuned otherwise, or of which records were refused."""
    telling = any(one.source == "tuned" or one.refused for one in kernels)
    return untuned_lines(kernels) if telling else []


def require_tuned(kernels: Sequence[KernelEntry], model: str, target: str) -> None:
    """RequestError, naming the first kernel, unless every kernel was tuned."""
    lines = untuned_lines(kernels)
    if lines:
        raise RequestError(
            f"{model} has {len(lines)} of {len(kernels)} kernels that are not tuned ({lines[0]});"
            f" run: shufflenet-tvm tune {model} --target {target}"
        )
