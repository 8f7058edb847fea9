"""What engines are measured by: loops that take turns with them and are no networks."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

from pipeline.engines.registry import HANDOVER, PEAK
from pipeline.handover import build_handover, nanoseconds
from pipeline.measure import Participant
from pipeline.peak import build_peak
from pipeline.peak_kernel import PeakKernel
from pipeline.runner import Measurement
from pipeline.steadiness import Ceiling, latency
from pipeline.subject import Subject


def yardsticks(subject: Subject, threads: int, folder: Path) -> list[Participant]:
    """Those of a subject with so many threads, compiled to files in the folder; none on a GPU."""
    if subject.gpu is not None:
        return []
    kernel, library = _kernel(subject, threads), folder / "peak.so"
    build_peak(kernel, subject.target, library)
    found = [Participant(PEAK, {"library": str(library), "kernel": dataclasses.asdict(kernel)})]
    if threads > 1:
        library = folder / "handover.so"
        build_handover(subject.target, library)
        found.append(Participant(HANDOVER, {"library": str(library)}))
    return found


def ceiling_of(subject: Subject, threads: int, measured: Mapping[str, Measurement]) -> Ceiling:
    """What the cores reach with multiply-adds alone, and how long they wait for each other, by the
    measurements of engines by name; of a GPU what its record says."""
    loop, waits = measured.get(PEAK.name), measured.get(HANDOVER.name)
    if subject.gpu is not None or loop is None:
        return Ceiling(subject.gpu.peak(subject.dtype) / 1e9 if subject.gpu else math.inf, ())
    milliseconds = [1e3 * sample for sample in loop.samples]
    gmacs = _kernel(subject, threads).macs / 1e6 / latency(milliseconds).p50
    return Ceiling(gmacs, loop.rounds, tuple(nanoseconds(waits.rounds)) if waits else ())


def _kernel(subject: Subject, threads: int) -> PeakKernel:
    return PeakKernel(subject.lanes, subject.accumulators, threads, dtype=subject.dtype)
