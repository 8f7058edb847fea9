"""What llvm-mca, if it is installed, says of a loop: cycles of one turn, all data in the cache."""

import json
import shutil
import subprocess
from collections.abc import Sequence

from pipeline.analysis.assembly import Instruction
from pipeline.errors import WorkFailedError
from pipeline.targets import Target

# Versions before 19 model the Neoverse N1 as a Cortex-A57, at half its rate.
PROGRAMS = ("llvm-mca-22", "llvm-mca-21", "llvm-mca-20", "llvm-mca-19")
TURNS = 100
SECONDS = 120
# Cores without a model of their own in LLVM 19, or with that of the A57, and the nearest that has.
MODELS = {
    "cortex-a75": "cortex-a57",
    "cortex-a76": "neoverse-n1",
    "cortex-a78": "neoverse-n1",
    "cortex-x1": "neoverse-v1",
    "armv7a": "cortex-a7",
}
# LLVM's models of these have one port for 512-bit multiply-adds, where the CPUs have two, as the
# model of Skylake-SP has: a loop of them on an Emerald Rapids reached twice what one port can.
WIDE = ("icelake-server", "sapphirerapids", "emeraldrapids", "graniterapids", "graniterapids-d")
TWO_PORTS = "skylake-avx512"


def find_mca() -> str | None:
    """The path of the newest llvm-mca that serves."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def model_of(target: Target) -> str:
    """The core whose model is used for a target."""
    if target.cpu in WIDE:
        return TWO_PORTS
    return MODELS.get(target.name, target.cpu)


def cycles_of(
    program: str, target: Target, loops: Sequence[Sequence[Instruction]], whole: Sequence[bool]
) -> list[float]:
    """Cycles of one turn of each loop.

    Of those that are `whole` it is what simulated turns take, of the others, which have other loops
    in their midst, only what the units are busy for. WorkFailedError with the program's last word.
    """
    if not loops:
        return []
    text = "\n".join(_region(number, loop) for number, loop in enumerate(loops))
    command = [
        program, f"-mtriple={target.triple}", f"-mcpu={model_of(target)}", "-json",
        f"-iterations={TURNS}", "-skip-unsupported-instructions=parse-failure",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except subprocess.SubprocessError as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise WorkFailedError(f"{program} failed: {lines[-1]}") from error
    found = {}
    for region in json.loads(done.stdout)["CodeRegions"]:
        summary, number = region["SummaryView"], int(region["Name"])
        busy, simulated = summary["BlockRThroughput"], summary["TotalCycles"] / TURNS
        found[number] = simulated if whole[number] else busy
    return [float(found.get(number, 0.0)) for number in range(len(loops))]


def _region(number: int, loop: Sequence[Instruction]) -> str:
    lines = "\n".join(f"\t{one.name}\t{one.operands}" for one in loop)
    # In every instruction set a line that begins so is a comment.
    return f"# LLVM-MCA-BEGIN {number}\n{lines}\n# LLVM-MCA-END"
