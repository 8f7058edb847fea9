"""The peers' own environment: other engines never change what this package runs with.

It lies in a cache folder, is made on first use, and holds the peers' wheels alone. What a peer's
worker needs of ours (numpy, and torch to write ONNX) is found behind its own packages.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.engines.process import python_command
from pipeline.engines.registry import EngineKind
from pipeline.errors import WorkFailedError

# Writes the file that the peers read.
EXPORTER = ("onnx==1.23.2",)
# Wheels only: a peer built from source on the spot is not what others run.
PIP_OPTIONS = ("--quiet", "--only-binary=:all:", "--retries=1", "--disable-pip-version-check")
INSTALL_SECONDS = 1200
EXPORT_SECONDS = 600


class PeerError(WorkFailedError):
    """A peer cannot be had; the message is one line with the reason."""


def peers_folder(environment: Mapping[str, str]) -> Path:
    """Where the peers live, for the variables of a process."""
    cache = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~")) / ".cache"
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(cache).expanduser() / "shufflenet-tvm" / "peers" / python


def peer_python(kind: EngineKind, folder: Path) -> Path:
    """The Python that runs this engine, with its packages installed; PeerError if it cannot be."""
    if not kind.packages:
        return Path(sys.executable)
    return _install(kind.packages, folder, kind.bare)


def is_installed(kind: EngineKind, folder: Path) -> bool:
    """Whether this engine can be had without anything being downloaded."""
    return all(mark.exists() for mark in _marks((*kind.packages, *kind.bare), folder))


def export_onnx(source: dict[str, Any], folder: Path, path: Path) -> None:
    """Write the model of `source` (fields as the torch engine takes them) as ONNX to `path`."""
    python = _install(EXPORTER, folder)
    module = "pipeline.engines.onnx_export"
    command = python_command(python, module, json.dumps(source), str(path))
    _run(command, EXPORT_SECONDS, "no ONNX file")


def _install(packages: tuple[str, ...], folder: Path, bare: tuple[str, ...] = ()) -> Path:
    python = folder / "bin" / "python"
    marks = _marks((*packages, *bare), folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if all(mark.exists() for mark in marks):
            return python
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(folder)], INSTALL_SECONDS, "not installed")
        install = [str(python), "-m", "pip", "install", *PIP_OPTIONS]
        _run([*install, *packages], INSTALL_SECONDS, "not installed")
        if bare:
            _run([*install, "--no-deps", *bare], INSTALL_SECONDS, "not installed")
        for mark in marks:
            mark.touch()
    return python


def _marks(packages: tuple[str, ...], folder: Path) -> list[Path]:
    """The files that say that these packages are there."""
    return [folder / f"{package}.installed" for package in packages]


def _run(command: list[str], seconds: float, failure: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{failure}: not done within {seconds:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise PeerError(f"{failure}: {_reason(error.stderr + error.stdout)}") from error


def _reason(output: str) -> str:
    """The last error that a program names, or else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no word why"])[-1]
