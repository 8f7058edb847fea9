"""The manifest of a bundle: what it is, what it needs, and how its kernels came by their tiles.

It ends in a checksum of the rest of it, and holds those of the bundle's other files.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from pipeline.errors import RequestError
from pipeline.results import Record, Sources
from schedules.cpu.sharing import Sharing

MANIFEST = "manifest.json"
LIBRARY = "model.so"
CHECK = "check.safetensors"


class TensorSpec(Record):
    """A tensor that goes in or comes out."""

    shape: tuple[int, ...]
    dtype: str


class GpuSpec(Record):
    """The GPUs that a bundle has code for: compute capabilities times ten, and who compiled it."""

    architectures: tuple[int, ...]
    compiler: str


class TargetSpec(Record):
    """What the code was compiled for; `features` are those of /proc/cpuinfo that it may use,
    and `cores` the ARM cores by name that have them. Beside a GPU they are those of the host."""

    name: str
    triple: str
    architecture: str
    cpu: str
    features: list[str]
    cores: tuple[str, ...] = ()
    dtype: str = "float32"
    gpu: GpuSpec | None = None


class WeightsSpec(Record):
    """Where the weights are from: a seed, or a file of that checksum."""

    seed: int
    file: str | None = None
    sha256: str | None = None


class KernelEntry(Record):
    """A function of the library: how often an inference calls it, and the tile it was given.

    `seconds` are the recorded time of a call; `refused` says why a record was not used. Strips are
    of CPUs only; `resources` are what the function takes of each GPU.
    """

    function: str
    calls: int
    source: Literal["tuned", "hand", "default"]
    strip_rows: int = 0
    sharing: Sharing = "stages"
    stages: list[dict[str, Any]]
    seconds: float | None = None
    refused: str | None = None
    resources: tuple[dict[str, int], ...] = ()


class Manifest(Record):
    """All that is known of a bundle; sizes and counts are for one inference of `batch` images.

    `macs` are those of one image. `peak_activation_bytes` is all memory that is held for
    activations during an inference, the image left out; it and the error are not known of a
    library that the machine which made it could not run.
    """

    kind: Literal["shufflenet-tvm bundle"] = "shufflenet-tvm bundle"
    schema_version: Literal[1] = Field(default=1, alias="schema")
    model: str
    input: TensorSpec
    output: TensorSpec
    target: TargetSpec
    weights: WeightsSpec
    versions: dict[str, str]
    macs: int
    parameters: int
    library_bytes: int
    peak_activation_bytes: int | None
    max_relative_error: float | None
    records: str
    kernels: list[KernelEntry]
    files: dict[str, str]

    @property
    def schedule_sources(self) -> Sources:
        """How many calls of an inference each source of tiles serves."""
        calls = {"tuned": 0, "hand": 0, "default": 0}
        for kernel in self.kernels:
            calls[kernel.source] += kernel.calls
        return Sources(**calls)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write it with its checksum."""
    fields = manifest.model_dump(mode="json")
    text = json.dumps({**fields, "check": digest(fields)}, indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """RequestError if there is none, or it was changed, or is of another schema."""
    path = folder / MANIFEST
    if not path.is_file():
        raise RequestError(f"{folder} is no bundle: it has no {MANIFEST}; {way_out(folder)}")
    try:
        fields = json.loads(path.read_bytes())
    except ValueError as error:
        raise RequestError(f"{path} is damaged; {way_out(folder)}") from error
    if not isinstance(fields, dict) or fields.pop("check", None) != digest(fields):
        raise RequestError(f"{path} is damaged or was changed; {way_out(folder)}")
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise RequestError(
            f"{path} is of another version: {place}: {fault['msg']}; {way_out(folder)}"
        ) from error


def digest(fields: dict[str, Any]) -> str:
    """The checksum of a manifest without its checksum."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def way_out(folder: Path) -> str:
    """How to come by a good bundle."""
    return f"make it again with: shufflenet-tvm compile MODEL --out {folder}"
