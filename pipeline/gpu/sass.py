"""What kinds of instructions a kernel consists of, from its disassembly."""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import RequestError, WorkFailedError
from pipeline.gpu.resources import SUFFIX

PROGRAM = "cuobjdump"
PACKAGED = Path("cu13") / "bin" / PROGRAM
REMEDY = "install it with: pip install 'shufflenet-tvm[cuda]'"
SECONDS = 120
FUNCTION = re.compile(r"Function : (\w+)")
INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)")
# By the beginning of the opcode, the longest first: float32 and tensor-core multiply-adds, loads
# and stores of device memory by width, shared memory, spills, barriers.
KINDS = {
    "LDG.E.128": "load_128", "LDG": "load", "LDG.E.64": "load",
    "STG.E.128": "store_128", "STG": "store",
    "LDS": "shared", "STS": "shared", "LDL": "spill", "STL": "spill",
    "FFMA": "fma", "FMUL": "float", "FADD": "float", "FMNMX": "float", "HMMA": "tensor",
    "BAR": "barrier",
}  # fmt: skip
OTHER = "other"
Mix = dict[str, int]


def instruction_mix(binary: bytes, architecture: int) -> dict[str, Mix]:
    """How many instructions of each kind every kernel has, by its function's name.

    RequestError if there is no disassembler.
    """
    return read_mix(disassembly(binary, architecture))


def disassembly(binary: bytes, architecture: int) -> dict[str, list[str]]:
    """The opcodes of every kernel in their order, by its function's name.

    RequestError if there is no disassembler.
    """
    program = find_disassembler()
    if program is None:
        raise RequestError(f"the instructions of a GPU are read by {PROGRAM}; {REMEDY}")
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(binary)
        file.flush()
        command = [program, "-sass", "-arch", f"sm_{architecture}", file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode != 0:
        raise WorkFailedError(f"{PROGRAM} failed: {(done.stderr.strip() or 'no word why')[:200]}")
    return read_opcodes(done.stdout.splitlines())


def read_opcodes(lines: Iterable[str]) -> dict[str, list[str]]:
    """The same from the lines that the disassembler writes."""
    found: dict[str, list[str]] = {}
    opcodes: list[str] = []
    for line in lines:
        if function := FUNCTION.search(line):
            opcodes = found.setdefault(function[1].removesuffix(SUFFIX), [])
        elif instruction := INSTRUCTION.search(line):
            opcodes.append(instruction[1])
    return found


def read_mix(opcodes: Mapping[str, Iterable[str]]) -> dict[str, Mix]:
    """How many of each kind these are, by the function's name."""
    return {name: dict(Counter(map(kind_of, own))) for name, own in opcodes.items()}


def kind_of(opcode: str) -> str:
    """The kind of an instruction."""
    fitting = [prefix for prefix in KINDS if opcode.startswith(prefix)]
    return KINDS[max(fitting, key=len)] if fitting else OTHER


def find_disassembler() -> str | None:
    """The path of the disassembler: of a toolkit, or as it came as a Python package."""
    package = find_spec("nvidia")
    places = package.submodule_search_locations if package else None
    packaged = [Path(place) / PACKAGED for place in places or ()]
    found = next((str(path) for path in packaged if path.is_file()), None)
    return shutil.which(PROGRAM) or found
