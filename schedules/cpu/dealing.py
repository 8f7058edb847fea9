"""Dealing the loops of phases out to cores, and launching the regions that call phases.

    for pass: for tile in parallel   ->   for pass: for tile in the core's share, from the middle
    region: phase; phase             ->   launch on all cores: phase; wait for the others; phase

It happens when all else is lowered: until then a region is what one core does.
"""

from functools import partial
from typing import Any

from tvm import tirx
from tvm.ir import Call, GlobalVar
from tvm.tirx import PrimFunc
from tvm_ffi import structural_map, structural_walk

from schedules.cpu.frame_pointer import aligned_stack
from schedules.cpu.waiting import on_x86, wait, with_flags

# Cores that a region tells from each other; of more, some are idle.
MOST = 256
# The attribute of a phase; of no other function are loops dealt out by its last two parameters.
PHASE = "phase"
# The attribute of a row of phases that all cores go through together.
REGION = "region"
# The annotation of a loop in a core's share that it goes through away from the middle.
AWAY = "away_from_the_middle"


def is_parallel(function: PrimFunc) -> bool:
    """Whether any loop of a function is one of all cores."""
    found: list[bool] = []

    def look(loop: Any) -> None:
        found.append(loop.kind == tirx.ForKind.PARALLEL)

    structural_walk(function.body, (tirx.For, look), order="post")
    return any(found)


def dealt(name: GlobalVar, function: PrimFunc) -> dict[GlobalVar, PrimFunc]:
    """A lowered function whose regions are those of all cores; a phase does the core's share.

    A phase without a parallel loop is of the first core. One with loops away from the middle calls
    one of two functions, by the half that the core is of: where both directions are in one, the
    compiler keeps what either needs in registers, and has too few for the sums.
    """
    if not function.attrs or PHASE not in function.attrs:
        launched = partial(_launched, own_waits=on_x86(function))
        body = structural_map(function.body, (tirx.AttrStmt, launched))
        return {name: function.with_body(body)}
    loops: list[Any] = []
    structural_walk(function.body, (tirx.For, loops.append), order="pre")
    if not any(_goes_away(loop) for loop in loops):
        return {name: function.with_body(_share_on_stack(function))}
    made = {}
    calls = []
    for way, body in (("down", _downwards(function.body)), ("up", function.body)):
        symbol = f"{function.attrs['global_symbol']}_{way}"
        own = function.with_body(body)
        own = own.with_body(_share_on_stack(own)).with_attr("global_symbol", symbol)
        made[GlobalVar(symbol)] = own
        calls.append(tirx.Evaluate(tirx.call_extern("int32", symbol, *function.params)))
    core, cores = list(function.params)[-2:]
    return {name: function.with_body(tirx.IfThenElse(_is_lower(core, cores), *calls)), **made}


def _share_on_stack(function: PrimFunc) -> Any:
    """What a core does of a phase, its vectors in whole lines of the stack where they are wider
    than all stacks are aligned to."""
    share_of = _share_of(function)
    if not on_x86(function):
        return share_of
    return tirx.SeqStmt([tirx.Evaluate(aligned_stack()), share_of])


def _share_of(function: PrimFunc) -> Any:
    """What a core does of a phase."""
    core, cores = list(function.params)[-2:]
    if not is_parallel(function):
        return tirx.IfThenElse(core.equal(0), function.body, None)
    loops: list[Any] = []
    structural_walk(function.body, (tirx.For, loops.append), order="pre")
    own = _shared if loops[0].kind == tirx.ForKind.PARALLEL else _shared_again

    def dealt_out(loop: Any) -> Any:
        return own(loop, core, cores) if loop.kind == tirx.ForKind.PARALLEL else loop

    return structural_map(function.body, (tirx.For, dealt_out))


def _goes_away(loop: Any) -> bool:
    """Whether a loop is one of a core alone, and away from the middle."""
    return loop.kind == tirx.ForKind.SERIAL and AWAY in loop.annotations


def _downwards(body: Any) -> Any:
    """The body with every such loop from its last turn to its first."""

    def turned(loop: Any) -> Any:
        if not _goes_away(loop):
            return loop
        turn = tirx.Var("turn", "int32")
        place = tirx.Bind(loop.loop_var, loop.min + loop.extent - 1 - turn)
        return tirx.For(turn, 0, loop.extent, loop.kind, tirx.SeqStmt([place, loop.body]))

    return structural_map(body, (tirx.For, turned))


def _is_lower(core: Any, cores: Any) -> Any:
    """Whether a core is of the lower half."""
    return 2 * core + 1 < cores


def _shared(loop: Any, core: Any, cores: Any) -> Any:
    """The core's share of a loop."""
    first, count = share(loop, core, cores)
    return tirx.For(loop.loop_var, first, count, tirx.ForKind.SERIAL, loop.body)


def _shared_again(loop: Any, core: Any, cores: Any) -> Any:
    """The core's share of a loop that runs again and again: away from the middle.

    What comes after its last turn a core fetches too, before it knows that it has no part in it.
    It is what the next core is about to write, who then waits to have it back. Where the lower half
    of the cores goes down and the upper half up, nobody comes to the middle, on either side of
    which cores may be far from each other. Measured with two threads on Zen 4 in ShuffleNet 1.0x in
    3 groups, kernels whose pixels cores share: 60 us were 34 where the cores have no cache in
    common, and the rest as long as before.
    """
    first, count = share(loop, core, cores)
    down = _is_lower(core, cores)
    begin, step, turn = (tirx.Var(name, "int32") for name in ("begin", "step", "turn"))
    body = tirx.SeqStmt([tirx.Bind(loop.loop_var, begin + step * turn), loop.body])
    return tirx.SeqStmt(
        [
            tirx.Bind(begin, tirx.Select(down, first + count - 1, first)),
            tirx.Bind(step, tirx.Select(down, tirx.IntImm("int32", -1), tirx.IntImm("int32", 1))),
            tirx.For(turn, 0, count, tirx.ForKind.SERIAL, body),
        ]
    )


def share(loop: Any, core: Any, cores: Any) -> tuple[Any, Any]:
    """The first turn that a core takes, and how many."""
    each = tirx.truncdiv(loop.extent + cores - 1, cores)
    first = tirx.Min(core * each, loop.extent)
    return first, tirx.Min(first + each, loop.extent) - first


def _launched(found: Any, own_waits: bool) -> Any:
    """A region that all cores run at once, and between calls wait for each other.

    Each sees by its turns which it is and of how many: of n cores that take turns, each has every
    n-th. Whoever has fewer than two sees that there are more than `MOST`.
    """
    if found.attr_key != REGION:
        return found
    mine = tirx.decl_buffer((2,), "int32", name="mine", scope="local")
    last, apart = (tirx.BufferLoad(mine, [number]) for number in range(2))
    turn = tirx.Var("turn", "int32")
    seen = [tirx.BufferStore(mine, tirx.abs(turn - last), [1]), tirx.BufferStore(mine, turn, [0])]
    turns = tirx.For(turn, 0, 2 * MOST, tirx.ForKind.PARALLEL, tirx.SeqStmt(seen))
    cores, core = tirx.Var("cores", "int32"), tirx.Var("core", "int32")
    calls = [
        tirx.Evaluate(Call(one.value.op, [*one.value.args[:-2], core, cores], ret_ty="int32"))
        for one in getattr(found.body, "seq", [found.body])
    ]
    places = [
        tirx.AllocBuffer(mine),
        tirx.BufferStore(mine, tirx.IntImm("int32", 2**30), [0]),
        tirx.BufferStore(mine, tirx.IntImm("int32", 2**31 - 1), [1]),
        _pragma("parallel_stride_pattern", turns),
        tirx.Bind(cores, tirx.Min(apart, MOST)),
        tirx.Bind(core, tirx.Min(tirx.truncmod(last, apart), MOST)),
    ]

    def launch(flags: Any | None) -> Any:
        waited = [
            statement
            for number, call in enumerate(calls[:-1], start=1)
            for statement in _and_wait(call, flags, number, core, cores)
        ]
        return _pragma("parallel_launch_point", tirx.SeqStmt([*places, *waited, calls[-1]]))

    return with_flags(launch) if own_waits and calls[1:] else launch(None)


def _and_wait(call: Any, flags: Any | None, number: int, core: Any, cores: Any) -> list[Any]:
    """A call, after which cores wait for each other: by their flags, or with TVM's barrier."""
    if flags is None:
        return [_pragma("parallel_barrier_when_finish", call)]
    barrier = _pragma("parallel_barrier_when_finish", tirx.Evaluate(0))
    return [call, wait(flags, number, core, cores, barrier)]


def _pragma(name: str, body: Any) -> Any:
    return tirx.AttrStmt(tirx.IntImm("int32", 0), f"pragma_{name}", tirx.IntImm("int32", 1), body)
