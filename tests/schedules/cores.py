"""Prints which share of a loop each core of a region does, for several numbers that it tells apart.

TVM_NUM_THREADS=5 python -m tests.schedules.cores 1 4 256
"""

import json
import sys

import numpy as np
import tvm
from tvm import IRModule, tirx
from tvm.ir import GlobalVar, PointerType, PrimType
from tvm.tirx import PrimFunc

from pipeline.lowering import lowering
from pipeline.targets import host
from schedules.cpu import dealing
from schedules.cpu.phases import AS_THEY_ARE, region

# No number of cores here divides it.
TURNS = 67


def written_by_cores() -> list[int]:
    """For each turn of a loop the core that did it, plus 1000 times how many there are."""
    place = tirx.Var("place", PointerType(PrimType("int32")))
    core, cores, turn = (tirx.Var(name, "int32") for name in ("core", "cores", "turn"))
    out = tirx.decl_buffer((TURNS,), "int32", name="out")
    store = tirx.BufferStore(out, core + 1000 * cores, [turn])
    loop = tirx.For(turn, 0, TURNS, tirx.ForKind.PARALLEL, store)
    phase = PrimFunc([place, core, cores], tirx.SeqStmt([tirx.DeclBuffer(out, data=place), loop]))
    for name, value in AS_THEY_ARE.items():
        phase = phase.with_attr(name, value)
    names = [GlobalVar("phase"), GlobalVar("main")]
    result = tirx.decl_buffer((TURNS,), "int32", name="result")
    # Twice, so that cores also wait for each other.
    main = PrimFunc([result], region([(names[0], [result.data])] * 2)).with_attr("s_tir", True)
    functions = {
        name: function.with_attr("global_symbol", name.name_hint)
        for name, function in zip(names, (phase, main), strict=True)
    }
    library = tvm.compile(IRModule(functions), target=host().tvm, tir_pipeline=lowering())
    made = tvm.runtime.tensor(np.full(TURNS, -1, "int32"))
    library["main"](made)
    return made.numpy().tolist()


if __name__ == "__main__":
    found = {}
    for most in map(int, sys.argv[1:]):
        dealing.MOST = most
        found[most] = written_by_cores()
    print(json.dumps(found))
