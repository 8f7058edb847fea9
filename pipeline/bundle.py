"""Reading a bundle, and checking that it does here what it did where it was made.

The order is that of trust: checksums, then the CPU, and only then is the code loaded, in a process
of its own and with TVM's runtime alone.
"""

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from pipeline.check import Agreement, Array, compare, require_agreement
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import OURS
from pipeline.errors import RequestError
from pipeline.manifest import CHECK, LIBRARY, Manifest, file_digest, read_manifest, way_out
from pipeline.processor import require_machine


@dataclass(frozen=True)
class Bundle:
    """A folder with `model.so`, `check.safetensors` and the manifest that describes them."""

    folder: Path
    manifest: Manifest

    @property
    def library(self) -> Path:
        """What TVM's runtime loads."""
        return self.folder / LIBRARY


@dataclass(frozen=True)
class Verification:
    """How the outputs compare with PyTorch's, and with those of this bundle when it was made,
    if it ran there."""

    torch: Agreement
    compiled: Agreement | None


def read_bundle(folder: Path) -> Bundle:
    """RequestError if a file is missing or not as it was when the bundle was made."""
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise RequestError(f"{folder} has no file {name}; {way_out(folder)}")
        if file_digest(folder / name) != expected:
            raise RequestError(f"{folder / name} was changed; {way_out(folder)}")
    if not {LIBRARY, CHECK} <= manifest.files.keys():
        raise RequestError(f"{folder} lacks {LIBRARY} or {CHECK}; {way_out(folder)}")
    return Bundle(folder, manifest)


def verify(bundle: Bundle, device: str = "local") -> Verification:
    """Run the stored example and compare; WorkFailedError if the output is wrong."""
    if device != "local":
        raise RequestError(f"unknown device {device!r}; bundles can be checked on: local")
    target = bundle.manifest.target
    require_machine(target.architecture, target.features)
    stored = _stored(bundle)
    with EngineProcess(OURS, threads=1) as process:
        process.load({"bundle": str(bundle.folder.resolve())}, stored["input"])
        output = process.output(stored["input"])
    verification = Verification(
        compare([output], [stored["torch"]]), compare([output], [stored["ours"]])
    )
    require_agreement(verification.torch, str(bundle.folder))
    return verification


def _stored(bundle: Bundle) -> dict[str, Array]:
    path = bundle.folder / CHECK
    try:
        stored: dict[str, Array] = load_file(path)
    except SafetensorError as error:
        raise RequestError(f"{path} is damaged; {way_out(bundle.folder)}") from error
    return stored
