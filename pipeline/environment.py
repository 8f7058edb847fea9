"""The machine and the conditions of a run."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata

import psutil

from pipeline import processor
from pipeline.results import Environment

PACKAGES = ("apache-tvm", "torch", "numpy")


def describe_environment(
    seeds: dict[str, int], fma_peak_gmacs: dict[int, float], extra_versions: dict[str, str]
) -> Environment:
    """What can be known of this machine now; `extra_versions` are those of the peers."""
    frequency = psutil.cpu_freq()
    return Environment(
        cpu=cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        machine=platform.machine(),
        os=platform.platform(),
        python=platform.python_version(),
        versions={name: metadata.version(name) for name in PACKAGES} | extra_versions,
        load_average=os.getloadavg()[0],
        frequency_mhz=frequency.current if frequency else None,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seeds=seeds,
        fma_peak_gmacs=fma_peak_gmacs,
    )


def cpu_name() -> str:
    """The CPU as the kernel names it; boards without a name give their part numbers."""
    if names := processor.fields("model name"):
        return names[0]
    known = [processor.fields(key) for key in ("CPU implementer", "CPU part", "Hardware")]
    parts = [values[0] for values in known if values]
    return " ".join(parts) or platform.machine()
