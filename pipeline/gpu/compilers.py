"""Device code from CUDA source: by nvcc where it is installed, by NVRTC where it is not.

NVRTC is a library that comes as a Python package. It makes code for one architecture at a time;
several are joined to one binary by nvFatbin, another such library.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import RequestError, WorkFailedError
from pipeline.gpu.device_source import device_source, left_rolled, widened
from pipeline.gpu.resources import Resources, read_resources

COMPILERS = ("auto", "nvcc", "nvrtc")
# What kernels in float16 include, and where packages of CUDA 13 and 12 have it.
HEADER = "cuda_fp16.h"
HEADERS = (Path("cu13") / "include", Path("cuda_runtime") / "include")
NVCC_PLACE = Path("/usr/local/cuda/bin/nvcc")
REMEDY = (
    "install NVRTC with: pip install 'shufflenet-tvm[cuda]', or put nvcc of a CUDA toolkit in PATH"
)
SECONDS = 600


@dataclass(frozen=True)
class DeviceCode:
    """A binary that a CUDA driver loads, with code for these architectures."""

    binary: bytes
    architectures: tuple[int, ...]
    compiler: str
    resources: tuple[Resources, ...]

    @property
    def spilling(self) -> set[str]:
        """The kernels that keep values in memory because their registers do not hold them."""
        return {one.function for one in self.resources if one.spilled_bytes}

    @property
    def spilled_bytes(self) -> int:
        """Of all kernels on all architectures."""
        return sum(one.spilled_bytes for one in self.resources)


@dataclass(frozen=True)
class Compiler:
    """A compiler at hand: what it is, the architectures it knows, and how it is run."""

    label: str
    known: frozenset[int]
    run: Callable[[str, tuple[int, ...]], tuple[bytes, str]]

    @property
    def name(self) -> str:
        """By which it is asked for."""
        return self.label.split()[0].lower()

    def require(self, architectures: Sequence[int]) -> None:
        """RequestError if it makes no code for one of these."""
        for one in architectures:
            if one not in self.known:
                listed = ", ".join(map(str, sorted(self.known)))
                raise RequestError(
                    f"{self.label} makes no code for sm_{one}; it knows {listed}; take another "
                    "release of CUDA, or another --cuda-compiler"
                )

    def compile(self, source: str, architectures: tuple[int, ...]) -> DeviceCode:
        """Code for all of these; WorkFailedError with the compiler's first complaint."""
        self.require(architectures)
        text = device_source(source)
        code = self._compiled(text, architectures)
        for change in (widened, left_rolled):
            if not code.spilling:
                break
            text = change(text, code.spilling)
            other = self._compiled(text, architectures)
            code = min(code, other, key=lambda one: one.spilled_bytes)
        return code

    def _compiled(self, text: str, architectures: tuple[int, ...]) -> DeviceCode:
        binary, log = self.run(text, architectures)
        return DeviceCode(binary, architectures, self.label, tuple(read_resources(log)))


def compiler_named(name: str) -> Compiler:
    """The compiler of that name; "auto" is nvcc if it is installed, else NVRTC.

    RequestError if it is not installed, with what to do.
    """
    if name not in COMPILERS:
        raise RequestError(f"unknown CUDA compiler {name!r}; known: {', '.join(COMPILERS)}")
    path = find_nvcc()
    if name == "nvcc" or (name == "auto" and path is not None):
        if path is None:
            raise RequestError(f"nvcc is not installed; {REMEDY}")
        return _nvcc(path)
    if not has_nvrtc():
        missing = "NVRTC is missing" if name == "nvrtc" else "neither nvcc nor NVRTC is installed"
        raise RequestError(f"no CUDA compiler: {missing}; {REMEDY}")
    return _nvrtc()


def find_nvcc() -> str | None:
    """The path of nvcc."""
    return shutil.which("nvcc") or (str(NVCC_PLACE) if NVCC_PLACE.is_file() else None)


def has_nvrtc() -> bool:
    """Whether the package is installed."""
    return find_spec("cuda") is not None and find_spec("cuda.bindings") is not None


def _nvcc(path: str) -> Compiler:
    codes = _output([path, "--list-gpu-code"]).split()
    version = next(
        (word for word in _output([path, "--version"]).split() if word.startswith("V")), ""
    ).removeprefix("V")
    known = frozenset(int(code[3:]) for code in codes if code[3:].isdigit())

    def run(source: str, architectures: tuple[int, ...]) -> tuple[bytes, str]:
        with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
            text, made = Path(folder) / "kernels.cu", Path(folder) / "kernels.fatbin"
            text.write_text(source, encoding="utf-8")
            wanted = [
                word
                for one in architectures
                for word in ("-gencode", f"arch=compute_{one},code=sm_{one}")
            ]
            options = ["-fatbin", "-O3", "-Xptxas=-v", "-w", "--threads", "0", *wanted]
            log = _output([path, *options, "-o", made.name, text.name], Path(folder))
            return made.read_bytes(), log

    return Compiler(f"nvcc {version}", known, run)


def _output(command: list[str], folder: Path | None = None) -> str:
    """All that a program says; WorkFailedError with its first complaint if it fails."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
            cwd=folder,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise WorkFailedError(f"{command[0]} failed: {error}") from error
    if done.returncode != 0:
        raise WorkFailedError(f"{command[0]} failed: {_complaint(done.stdout)}")
    return done.stdout


def _complaint(log: str) -> str:
    lines = [line for line in log.splitlines() if "error" in line.lower()] or log.split("\n")
    return lines[0].strip() or "no word why"


def _nvrtc() -> Compiler:
    from cuda.bindings import nvrtc

    version = ".".join(str(part) for part in _checked(nvrtc, nvrtc.nvrtcVersion()))
    known = frozenset(int(one) for one in _checked(nvrtc, nvrtc.nvrtcGetSupportedArchs())[0])

    def run(source: str, architectures: tuple[int, ...]) -> tuple[bytes, str]:
        made = [_cubin(nvrtc, source, one) for one in architectures]
        logs = "".join(log for _, log in made)
        cubins = {one: cubin for one, (cubin, _) in zip(architectures, made, strict=True)}
        return (made[0][0] if len(made) == 1 else _joined(cubins)), logs

    return Compiler(f"NVRTC {version}", known, run)


def _cubin(nvrtc: Any, source: str, architecture: int) -> tuple[bytes, str]:
    """Code for one architecture, and the compiler's log."""
    made = nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], [])
    (program,) = _checked(nvrtc, made)
    try:
        target = f"--gpu-architecture=sm_{architecture}"
        flags = [target, "--ptxas-options=-v", "--disable-warnings", *_include_paths()]
        (status,) = nvrtc.nvrtcCompileProgram(
            program, len(flags), [flag.encode() for flag in flags]
        )
        log = bytearray(_checked(nvrtc, nvrtc.nvrtcGetProgramLogSize(program))[0])
        _checked(nvrtc, nvrtc.nvrtcGetProgramLog(program, log))
        text = log.decode(errors="replace").rstrip("\0")
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise WorkFailedError(f"NVRTC failed for sm_{architecture}: {_complaint(text)}")
        binary = bytearray(_checked(nvrtc, nvrtc.nvrtcGetCUBINSize(program))[0])
        _checked(nvrtc, nvrtc.nvrtcGetCUBIN(program, binary))
        return bytes(binary), text
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _include_paths() -> list[str]:
    """The folders of headers, those of packages before those of a toolkit."""
    package, nvcc = find_spec("nvidia"), find_nvcc()
    places = package.submodule_search_locations if package else None
    folders = [Path(place) / one for place in places or () for one in HEADERS]
    folders += [Path(nvcc).resolve().parents[1] / "include"] if nvcc else []
    return [f"--include-path={one}" for one in folders if (one / HEADER).is_file()]


def _checked(nvrtc: Any, answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a call gives besides its status; WorkFailedError if that is a failure."""
    status, *rest = answer
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise WorkFailedError(f"NVRTC failed: {status.name}")
    return tuple(rest)


def _joined(cubins: dict[int, bytes]) -> bytes:
    """One binary from which the driver takes the code for its GPU."""
    from cuda.bindings import nvfatbin

    handle = nvfatbin.create(["-64"], 1)
    try:
        for architecture, cubin in cubins.items():
            nvfatbin.add_cubin(handle, cubin, len(cubin), str(architecture), "kernels")
        binary = bytearray(nvfatbin.size(handle))
        nvfatbin.get(handle, binary)
        return bytes(binary)
    finally:
        nvfatbin.destroy(handle)
