"""An aarch64 device without any: Linux on ARM's Python and TVM under QEMU, as an RPC server.

    python -m tests.arm.make_device                       # make it, and say where it is
    python -m tests.arm.make_device --serve --key qemu    # and serve, at a tracker on port 9190

It needs qemu-user-static and mmdebstrap of Debian. What it makes is kept for the next time. It
computes what an ARM core computes; its times say nothing of any.
"""

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PLACE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shufflenet-tvm/aarch64"
PROGRAMS = {"qemu-aarch64-static": "qemu-user-static", "mmdebstrap": "mmdebstrap"}
RELEASE = "bookworm"
PYTHON = "3.11"  # of that release
DEBIAN = "python3,libstdc++6,zlib1g,libgcc-s1"
# The versions that are installed here, for the other architecture.
PACKAGES = ("apache-tvm", "apache-tvm-ffi", "numpy", "ml-dtypes", "psutil")
PURE = ("cloudpickle", "tornado", "typing-extensions")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


@dataclass(frozen=True)
class Device:
    """The folder of a device that was made."""

    place: Path

    @property
    def python(self) -> Path:
        """A program that runs Python there."""
        return self.place / "python"

    def serve(self, tracker: str, key: str, port: int) -> subprocess.Popen[bytes]:
        """Start a server in a process group of its own."""
        command = [
            self.python,
            "-m",
            "tests.arm.serve_device",
            self.python,
            tracker,
            key,
            str(port),
        ]
        return subprocess.Popen([str(word) for word in command], process_group=0)


def missing() -> str:
    """What has to be installed first; nothing if empty."""
    absent = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    return f"apt-get install {' '.join(absent)}" if absent else ""


def make(place: Path = PLACE) -> Device:
    """Make the device, unless it is there. CalledProcessError if a download fails."""
    device = Device(place)
    stamp = place / "made"
    wanted = " ".join(sorted(_requirements()))
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _make_root(place / "root")
        _make_site(place / "site", place / "wheels")
        stamp.write_text(wanted)
    # It runs this checkout, also if another one made it, which may be gone.
    _make_python(device)
    return device


def _requirements() -> list[str]:
    return [f"{name}=={metadata.version(name)}" for name in PACKAGES] + list(PURE)


def _make_root(root: Path) -> None:
    """A file system with Python of the other architecture, of which no program is run."""
    mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
    command = ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", f"--include={DEBIAN}"]
    subprocess.run([*command, RELEASE, str(root), mirror], check=True)


def _make_site(site: Path, wheels: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    where = ["--no-deps", "--only-binary=:all:", "--python-version", PYTHON, "--dest", str(wheels)]
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    subprocess.run([*pip, *where, *platforms, *_requirements()], check=True)
    for wheel in wheels.iterdir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    shutil.rmtree(wheels)


def _make_python(device: Device) -> None:
    root = device.place / "root"
    paths = f"{device.place / 'site'}:{ROOT}"
    variables = {
        "PYTHONPATH": paths,
        "PYTHONHOME": root / "usr",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The small library, without the compiler, as on a phone.
        "TVM_USE_RUNTIME_LIB": "1",
    }
    settings = " ".join(f'-E "{name}={value}"' for name, value in variables.items())
    python = root / f"usr/bin/python{PYTHON}"
    command = f'exec qemu-aarch64-static -cpu max -L "{root}" {settings} "{python}" "$@"'
    text = f"#!/bin/sh\n{command}\n"
    # One that is as it should be may be starting elsewhere.
    if not device.python.is_file() or device.python.read_text() != text:
        device.python.write_text(text)
        device.python.chmod(0o755)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--place", type=Path, default=PLACE, help="folder to make it in")
    parser.add_argument("--serve", action="store_true", help="run its server until interrupted")
    parser.add_argument("--tracker", default="127.0.0.1:9190")
    parser.add_argument("--key", default="qemu")
    parser.add_argument("--port", type=int, default=9090)
    words = parser.parse_args()
    if missing():
        print(f"error: first run: {missing()}", file=sys.stderr)
        return 2
    device = make(words.place)
    print(device.python)
    return device.serve(words.tracker, words.key, words.port).wait() if words.serve else 0


if __name__ == "__main__":
    sys.exit(main())
