"""What measured times are true for, and the names of tasks."""

import hashlib
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import schedules
from pipeline.compiling import OPTIONS
from pipeline.devices.address import LOCAL
from pipeline.environment import cpu_name
from pipeline.records import canonical
from pipeline.targets import Target


def conditions(target: Target, device: str = LOCAL) -> dict[str, Any]:
    """The target, the compiler and the kind of device; other conditions, other times."""
    return {
        "family": target.family,
        "machine": asdict(target.machine),
        "compiler": {"tvm": metadata.version("apache-tvm"), "options": OPTIONS, "cpu": target.cpu},
        "device": cpu_name() if device == LOCAL else device,
    }


def fingerprint(described: dict[str, Any]) -> str:
    """A short name for conditions, or for anything that is plain data."""
    return hashlib.sha256(canonical(described).encode()).hexdigest()[:16]


def task_key(*parts: str) -> str:
    """A short name for a task."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def schedules_digest() -> str:
    """A name for the schedules as they are.

    Candidates that were measured with other schedules count if their programs are still the same.
    """
    folder = Path(schedules.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
