"""Tuning records: the best tile found for a workload on one kind of machine, and how it was found.

`<family>.jsonl` holds a header and then one record a line. Each line ends in a checksum of the
rest of it, so that a torn or edited file is noticed instead of silently falling back to hand tiles.

    {"schema": 2, "family": "x86_64-avx512-16fma", "records": 73, "check": "5d0c..."}
    {"family": "x86_64-avx512-16fma", "workload": {...}, "tile": {"columns": 6, ...}, "tvm": ...}

A record names its target and TVM version, and is used for no other.
"""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import RequestError
from schedules.cpu.kernel import Kernel
from schedules.cpu.operators import Work
from schedules.cuda.operators import Work as GpuWork

SCHEMA = 2
SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Record:
    """The best tile of a workload for a family, its time, and the hand tile's in the same run.

    There are no `hand_seconds` if the hand tile failed. `cpu` is the name of what it was measured
    on, also if that is a GPU.
    """

    family: str
    workload: dict[str, Any]
    tile: dict[str, Any]
    seconds: float
    hand_seconds: float | None
    trials: int
    failed: int
    tvm: str
    cpu: str

    @property
    def key(self) -> str:
        """What a build looks the record up by."""
        return canonical(self.workload)


@dataclass(frozen=True)
class Records:
    """All records of one family by workload.

    `outdated` are those of another TVM version, which are kept and never used.
    """

    family: str
    by_key: dict[str, Record]
    outdated: tuple[Record, ...] = ()

    def stage(self, work: Work) -> dict[str, Any] | None:
        """The fields of the tuned tile of an operator; None if it was not tuned."""
        record = self.by_key.get(canonical(describe_work(work)))
        return None if record is None else record.tile

    def kernel(self, kernel: Kernel) -> dict[str, Any] | None:
        """The fields of the tuned tile of a whole kernel; None if it was not tuned."""
        record = self.by_key.get(canonical(describe_kernel(kernel)))
        return None if record is None else record.tile

    def of(self, work: GpuWork) -> Record | None:
        """The record of a kernel for a GPU; None if it was not tuned."""
        return self.by_key.get(canonical(describe_work(work)))

    def seconds(self, kernel: Kernel) -> float | None:
        """The recorded time of a kernel: the geometric mean of one thread and all cores."""
        record = self.by_key.get(canonical(describe_kernel(kernel)))
        return None if record is None else record.seconds


def describe_work(work: Work | GpuWork) -> dict[str, Any]:
    """An operator's workload as plain data."""
    return {"operator": type(work).__name__, **dataclasses.asdict(work, dict_factory=_named)}


def describe_kernel(kernel: Kernel) -> dict[str, Any]:
    """A kernel's workload as plain data."""
    stages = [
        {**describe_work(stage.work), "reads": [list(read) for read in stage.reads]}
        for stage in kernel.stages
    ]
    return {"kernel": stages, "scratch": list(kernel.scratch)}


def _named(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """As JSON has it; a tensor whose type is not named holds float32."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in fields
        if (name, value) != ("dtype", "float32")
    }


def canonical(workload: dict[str, Any]) -> str:
    """One text for equal workloads."""
    return json.dumps(workload, sort_keys=True, separators=(",", ":"))


def records_path(folder: Path, family: str) -> Path:
    """The file of a family."""
    return folder / f"{family}{SUFFIX}"


def record_families(folder: Path) -> list[str]:
    """The families that a folder has records of."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def read_records(folder: Path, family: str) -> Records:
    """The records of a family, empty if there is no file; RequestError if one does not fit."""
    path = records_path(folder, family)
    return read_record_file(path, family) if path.exists() else Records(family, {})


def read_record_file(path: Path, family: str | None = None) -> Records:
    """The records in a file, which may be for any family if none is asked for."""
    header, *lines = [unseal(path, number, text) for number, text in _numbered_lines(path)]
    if header.get("schema") != SCHEMA or (family and header.get("family") != family):
        raise RequestError(
            f"{path} is for {header.get('family')}, schema {header.get('schema')}, not for"
            f" {family or 'any target'}, schema {SCHEMA}; move it away and tune again"
        )
    names = {field.name for field in dataclasses.fields(Record)}
    if any(set(line) != names or line["family"] != header["family"] for line in lines):
        raise RequestError(
            f"{path} has a record of another target or with other fields; move it away and tune"
            " again"
        )
    if len(lines) != header.get("records"):
        raise RequestError(
            f"{path} has {len(lines)} of {header.get('records')} records; restore it, or move it"
            " away and tune again"
        )
    records = [Record(**line) for line in lines]
    tvm = metadata.version("apache-tvm")
    usable = {record.key: record for record in records if record.tvm == tvm}
    outdated = tuple(record for record in records if record.tvm != tvm)
    return Records(header["family"], usable, outdated)


def write_records(folder: Path, records: Records) -> Path:
    """Write the file of a family, whole or not at all."""
    path = records_path(folder, records.family)
    folder.mkdir(parents=True, exist_ok=True)
    every = [*records.by_key.values(), *records.outdated]
    ordered = sorted(every, key=lambda record: (record.key, record.tvm))
    header = {"schema": SCHEMA, "family": records.family, "records": len(every)}
    lines = [seal(header), *(seal(dataclasses.asdict(record)) for record in ordered)]
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with temporary.open("w") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _numbered_lines(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text(errors="replace").splitlines()
    if not lines:
        raise RequestError(f"{path} is empty; remove it, or restore it and try again")
    return list(enumerate(lines, start=1))


def seal(line: dict[str, Any]) -> str:
    """A line of a log, with a checksum of the rest of it."""
    return json.dumps({**line, "check": _digest(line)}, sort_keys=True)


def _digest(line: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()[:16]


def unseal(path: Path, number: int, text: str) -> dict[str, Any]:
    """A line without its checksum, which must be right; RequestError names the way out."""
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if isinstance(line, dict) and line.pop("check", None) == _digest(line):
        return line
    raise RequestError(
        f"{path}, line {number}, is torn or was changed; remove that line, or the file, and tune"
        " again"
    )
