"""Prints how often cores that wait for each other do not see what the others did.

TVM_NUM_THREADS=2 python -m tests.schedules.waits

Both threads on all CPUs, with too few flags for them, and both on one CPU; and whether the program
for this CPU has flags at all.
"""

import json
import os
import sys
from typing import Any

import numpy as np
import tvm
from tvm import IRModule, tirx
from tvm.ir import GlobalVar, PointerType, PrimType
from tvm.tirx import PrimFunc

from pipeline.lowering import lowering
from pipeline.targets import host
from schedules.cpu import waiting
from schedules.cpu.phases import AS_THEY_ARE, region

# A cache line is 16 of them: those in the middle are both cores'.
VALUES = 202
PHASES = 40
INFERENCES = 500


def mirrored() -> PrimFunc:
    """A phase in which each core reads what the other wrote: out[i] = data[VALUES - 1 - i] + 1."""
    places = [tirx.Var(name, PointerType(PrimType("int32"))) for name in ("data", "out")]
    core, cores, turn = (tirx.Var(name, "int32") for name in ("core", "cores", "turn"))
    data, out = (tirx.decl_buffer((VALUES,), "int32", name=f"{place.name}_") for place in places)
    value = tirx.BufferLoad(data, [VALUES - 1 - turn]) + 1
    store = tirx.BufferStore(out, value, [turn])
    loop = tirx.For(turn, 0, VALUES, tirx.ForKind.PARALLEL, store)
    declared = [
        tirx.DeclBuffer(buffer, data=place)
        for buffer, place in zip((data, out), places, strict=True)
    ]
    phase = PrimFunc([*places, core, cores], tirx.SeqStmt([*declared, loop]))
    for name, value in AS_THEY_ARE.items():
        phase = phase.with_attr(name, value)
    return phase


def module() -> IRModule:
    """As many phases, one after the other between two tensors."""
    name, both = GlobalVar("mirrored"), [tirx.decl_buffer((VALUES,), "int32") for _ in range(2)]
    places = [both[0].data, both[1].data]
    calls = [(name, places[:: 1 if number % 2 == 0 else -1]) for number in range(PHASES)]
    main = PrimFunc(both, region(calls)).with_attr("s_tir", True)
    return IRModule(
        {
            GlobalVar("main"): main.with_attr("global_symbol", "main"),
            name: mirrored().with_attr("global_symbol", "mirrored"),
        }
    )


def compiled() -> Any:
    """That for this CPU."""
    return tvm.compile(module(), target=host().tvm, tir_pipeline=lowering())


def wrong(main: object) -> int:
    """How many of the inferences have another result than one core."""
    first = np.arange(VALUES, dtype="int32")
    expected = first + PHASES
    data, other = (tvm.runtime.tensor(np.zeros(VALUES, "int32")) for _ in range(2))
    count = 0
    for _ in range(INFERENCES):
        data.copyfrom(first)
        main(data, other)
        count += not np.array_equal(data.numpy(), expected)
    return count


def main() -> None:
    """Both, in a process whose threads are TVM's."""
    library = compiled()
    run = library["main"]
    found = {"flags": waiting.STORED in library.mod.inspect_source("ll"), "apart": wrong(run)}
    waiting.MOST_FLAGS = 1
    found["more than flags"] = wrong(compiled()["main"])
    one = min(os.sched_getaffinity(0))
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {one})
    found["on one"] = wrong(run)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
