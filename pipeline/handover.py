"""How long cores wait for each other, when they have nothing else to do.

    region on all cores:
        wait for the others                              # `WAITS` times

So cores wait between the phases of a network, and longer where they have no cache in common. On a
virtual machine of two cores of Zen 3, whose cores are moved while it runs, a wait takes 110 ns for
minutes, and 330 to 360 for others.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import tvm
from tvm import IRModule, tirx
from tvm.ir import GlobalVar
from tvm.tirx import PrimFunc

from pipeline.handover_function import FUNCTION, WAITS
from pipeline.lowering import lowering
from schedules.cpu.phases import AS_THEY_ARE, region


def build_handover(target: object, path: Path) -> None:
    """Compile the function for `target` (a tvm.target.Target) to a shared library at `path`."""
    tvm.compile(handover_module(), target=target, tir_pipeline=lowering()).export_library(str(path))


def handover_module() -> IRModule:
    """The function as TensorIR: as many phases as there are waits between them, and one more."""
    cores = [tirx.Var(name, "int32") for name in ("core", "cores")]
    phase, name = PrimFunc(cores, tirx.Evaluate(0)), GlobalVar("nothing")
    for key, value in AS_THEY_ARE.items():
        phase = phase.with_attr(key, value)
    whole = PrimFunc([], region([(name, [])] * (WAITS + 1))).with_attr("s_tir", True)
    return IRModule(
        {
            GlobalVar(FUNCTION): whole.with_attr("global_symbol", FUNCTION),
            name: phase.with_attr("global_symbol", name.name_hint),
        }
    )


def nanoseconds(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Of one wait, in each round of calls of the function, which are in seconds."""
    return [statistics.median(samples) / WAITS * 1e9 for samples in rounds]
