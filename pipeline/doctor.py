"""Whether this machine can do the work, and what to do where it cannot."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import RequestError
from pipeline.gpu.compilers import find_nvcc, has_nvrtc
from pipeline.linker import PROGRAMS, REMEDY, find_linker

# As in pyproject.toml: of this pair, other versions crash when they save what was tuned.
PINS = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post1", "torch": "2.13.0"}
PACKAGES = ("numpy", "xgboost", "cloudpickle", "psutil", "tornado", "pydantic", "safetensors")
OLDEST_PYTHON = (3, 11)
INSTALL = "in the checkout run: pip install -e ."
EMULATOR = "qemu-aarch64-static"
OPENCL_VENDORS = Path("/etc/OpenCL/vendors")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. Without a `remedy` it is well; one that is `optional` may be missing."""

    name: str
    found: str
    remedy: str = ""
    optional: bool = False

    @property
    def state(self) -> str:
        """In a word."""
        if not self.remedy:
            return "ok"
        return "optional" if self.optional else "problem"


def examine(logs: Path) -> list[Finding]:
    """Everything, in the order in which the work needs it."""
    findings = [_python(), *(_pinned(*pin) for pin in PINS.items())]
    findings += [_package(name) for name in PACKAGES]
    findings += [_linker(), _cores()]
    if find_spec("tvm") is not None:
        findings += _target_and_records(logs)
    return [*findings, _emulator(), _opencl(), _cuda_compiler()]


def _python() -> Finding:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    good = sys.version_info >= OLDEST_PYTHON
    remedy = "" if good else f"install Python {wanted} or later"
    return Finding("Python", platform.python_version(), remedy)


def _pinned(name: str, wanted: str) -> Finding:
    found = _version(name)
    good = found is not None and found.partition("+")[0] == wanted
    return Finding(name, found or "missing", "" if good else f"{wanted} is needed; {INSTALL}")


def _package(name: str) -> Finding:
    found = _version(name)
    return Finding(name, found or "missing", "" if found else INSTALL)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _linker() -> Finding:
    found = find_linker()
    return Finding("C linker", found or f"none of {', '.join(PROGRAMS)}", "" if found else REMEDY)


def _cores() -> Finding:
    ours, all_ = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    return Finding("cores", f"{ours} of {all_}, so up to {ours} threads")


def _target_and_records(logs: Path) -> list[Finding]:
    """The host as a target, and what was tuned for it."""
    from pipeline.records import read_records
    from pipeline.targets import target_named

    try:
        target = target_named("host")
    except RequestError as error:
        return [Finding("target host", platform.machine(), str(error))]
    known = Finding("target host", f"{target.family} ({target.cpu})")
    try:
        count = len(read_records(logs, target.family).by_key)
    except RequestError as error:
        return [known, Finding("tuning records", str(logs), str(error))]
    remedy = "" if count else "hand-chosen tiles serve; tune to do better"
    return [known, Finding("tuning records", f"{count} in {logs}", remedy, optional=True)]


def _emulator() -> Finding:
    found = shutil.which(EMULATOR)
    remedy = "" if found else "to check ARM code here: apt-get install qemu-user-static"
    return Finding("QEMU", found or "missing", remedy, optional=True)


def _cuda_compiler() -> Finding:
    found = find_nvcc() or ("NVRTC" if has_nvrtc() else None)
    remedy = "" if found else "to compile for GPUs: pip install 'shufflenet-tvm[cuda]'"
    return Finding("CUDA compiler", found or "missing", remedy, optional=True)


def _opencl() -> Finding:
    found = next(OPENCL_VENDORS.glob("pocl*.icd"), None)
    remedy = "" if found else "to check GPU code here: apt-get install pocl-opencl-icd"
    return Finding("PoCL", str(found or "missing"), remedy, optional=True)
