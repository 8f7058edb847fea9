"""Reading a bundle, and checking that it does here what it did where it was made.

The order is that of trust: checksums, then the CPU, and only then is the code loaded, in a process
of its own and with TVM's runtime alone.
"""

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load_file

from pipeline.check import Agreement, Array, compare, require_agreement
from pipeline.devices.address import parse_device
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import OURS, OURS_CUDA, REMOTE
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
    address, target, kind = parse_device(device), bundle.manifest.target, OURS
    source = {"bundle": str(bundle.folder.resolve())}
    if target.gpu is not None and address is not None:
        raise RequestError("a bundle for a GPU is verified beside it: run verify there")
    if address is None:
        require_machine(target.architecture, target.features)
        if target.gpu is not None:
            # The runtime takes seconds to import.
            from pipeline.gpu.local import require_gpu_for

            require_gpu_for(target.gpu.architectures, "verify")
            kind = OURS_CUDA
    else:
        # The compiler that the probe needs takes seconds to import.
        from pipeline.devices.remote import require_device

        require_device(address, target)
        kind = REMOTE
        source |= {"device": device, "cores": "big"}
    stored = _stored(bundle)
    with EngineProcess(kind, threads=1) as process:
        process.load(source, stored["input"])
        output = process.output(stored["input"])
    before = stored.get("ours")
    verification = Verification(
        compare([output], [stored["torch"]]),
        None if before is None else compare([output], [before]),
    )
    require_agreement(verification.torch, str(bundle.folder), target.dtype)
    return verification


def _stored(bundle: Bundle) -> dict[str, Array]:
    path = bundle.folder / CHECK
    try:
        stored: dict[str, Array] = load_file(path)
    except SafetensorError as error:
        raise RequestError(f"{path} is damaged; {way_out(bundle.folder)}") from error
    return stored
