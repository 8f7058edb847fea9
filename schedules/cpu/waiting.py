"""How the cores of a region wait for each other, on x86-64.

    flag[core] = n                                   # the n-th wait; lines of its own for each core
    for other:
        while flag[other] < n: pause                 # after many looks, the operating system's turn

In TVM's barrier each look is a call of the operating system, in case that there are more threads
than cores. Here a wait of two cores takes as long as a line from one to the other. Measured with
two threads on Zen 3, in turns: ShuffleNet 0.5x in 3 groups takes 0.9 % less, 1.0x up to 0.3 %.
"""

from collections.abc import Callable
from typing import Any

from tvm import tirx

# Of more cores, which would read many lines, all have TVM's barrier.
MOST_FLAGS = 8
# 32-bit values from one flag to the next: two lines, which cores bring together.
APART = 32
# Looks at a flag before another thread may have the core, which is the awaited one where there are
# fewer CPUs than threads: some microseconds.
LOOKS = 100
# Between looks; and what keeps loads and stores, the compiler's too, on their side of a wait.
PAUSE, LOADED, STORED = "llvm.x86.sse2.pause", "llvm.x86.sse2.lfence", "llvm.x86.sse.sfence"


def on_x86(function: Any) -> bool:
    """Whether a function is for a target that has these instructions."""
    target = (function.attrs or {}).get("target")
    return target is not None and str(target.attrs.get("mtriple", "")).startswith("x86_64")


def with_flags(launch: Callable[[Any], Any]) -> Any:
    """The statement that `launch` makes of the flags of all cores, which are on the stack of
    whoever launches the region."""
    flags = tirx.decl_buffer((MOST_FLAGS * APART,), "int32", name="flags", scope="local")
    none = tirx.IntImm("int32", 0)
    cleared = [tirx.BufferStore(flags, none, [core * APART]) for core in range(MOST_FLAGS)]
    # Every look is a load, and every flag is stored.
    volatile = tirx.IntImm("int32", 1)
    launched = tirx.AttrStmt(flags.data, "volatile_scope", volatile, launch(flags))
    return tirx.SeqStmt([tirx.AllocBuffer(flags), *cleared, launched])


def wait(flags: Any, number: int, core: Any, cores: Any, otherwise: Any) -> Any:
    """The statement with which a core waits for the others, the `number`-th time from 1 on; of more
    than `MOST_FLAGS` cores each does `otherwise`."""
    due = tirx.IntImm("int32", number)
    other = tirx.Var("other", "int32")
    looks = tirx.decl_buffer((1,), "int32", name="looks", scope="local")
    count = tirx.BufferLoad(looks, [0])
    yielding = tirx.Evaluate(tirx.call_extern("int32", "sched_yield"))
    look = [
        _instruction(PAUSE),
        tirx.BufferStore(looks, count + 1, [0]),
        tirx.IfThenElse(count > LOOKS, yielding, None),
    ]
    missing = tirx.BufferLoad(flags, [other * APART]) < due
    waits = [
        tirx.BufferStore(looks, tirx.IntImm("int32", 0), [0]),
        tirx.While(missing, tirx.SeqStmt(look)),
    ]
    own = [
        tirx.AllocBuffer(looks),
        _instruction(STORED),
        tirx.BufferStore(flags, due, [core * APART]),
        tirx.For(other, 0, cores, tirx.ForKind.SERIAL, tirx.SeqStmt(waits)),
        _instruction(LOADED),
    ]
    return tirx.IfThenElse(cores <= MOST_FLAGS, tirx.SeqStmt(own), otherwise)


def _instruction(name: str) -> Any:
    return tirx.Evaluate(tirx.call_llvm_intrin("void", name))
