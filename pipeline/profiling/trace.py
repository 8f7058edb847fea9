"""A profile as a trace that https://ui.perfetto.dev and chrome://tracing open.

The Trace Event Format: one complete event ("ph": "X") for each kernel, in microseconds, laid end to
end; a row for the modules above the row of the kernels.
"""

from itertools import groupby
from typing import Any

from pipeline.profiling.gpu_records import GpuProfile
from pipeline.profiling.records import Profile
from pipeline.profiling.timed_call import TimedCall

PROCESS, MODULES, KERNELS = 1, 1, 2
UNIT_DEPTH = 3


def trace(profile: Profile | GpuProfile) -> dict[str, Any]:
    """The content of a .json file."""
    events = [
        _name("process_name", profile.title, MODULES),
        _name("thread_name", "modules", MODULES),
        _name("thread_name", "kernels", KERNELS),
    ]
    start = 0.0
    for module, calls in groupby(profile.calls, key=lambda call: unit_of(call.path)):
        begun = start
        for call in calls:
            events.append(_kernel(call, start, profile.peak_gmacs))
            start += call.ms * 1e3
        events.append(_event(module or "library", MODULES, begun, start - begun, {}))
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def unit_of(path: str) -> str:
    """The unit of a network that a module is in: "features.stage1.unit2" of its first parts."""
    return ".".join(path.split(".")[:UNIT_DEPTH])


def _kernel(call: TimedCall, start: float, peak: float) -> dict[str, Any]:
    facts = {
        "modules": call.paths,
        "multiply-adds": call.macs,
        "GMAC/s": round(call.gmacs, 2),
        "of peak": f"{call.gmacs / peak:.0%}",
        "bytes": call.edge_bytes,
        "multiply-adds a byte": round(call.intensity, 2),
        "schedule": call.source,
    }
    return _event(call.function, KERNELS, start, call.ms * 1e3, facts)


def _event(
    name: str, thread: int, start: float, duration: float, facts: dict[str, Any]
) -> dict[str, Any]:
    where = {"pid": PROCESS, "tid": thread, "cat": "kernel"}
    return {"name": name, "ph": "X", "ts": start, "dur": duration, **where, "args": facts}


def _name(kind: str, name: str, thread: int) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": PROCESS, "tid": thread, "args": {"name": name}}
