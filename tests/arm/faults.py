"""Kernels that do what no kernel should."""

import tvm
from tvm.script import tirx as T


def fall() -> tvm.IRModule:
    """Writes far outside its array."""

    @T.prim_func
    def fall(a: T.handle) -> None:
        T.func_attr({"global_symbol": "fall"})
        data = T.match_buffer(a, (4,), "int32")
        for i in T.serial(1 << 20):
            data[i * 1024] = 1

    return tvm.IRModule({"fall": fall})


def hang() -> tvm.IRModule:
    """Waits for a number that nobody writes."""

    @T.prim_func
    def hang(a: T.handle) -> None:
        T.func_attr({"global_symbol": "hang"})
        data = T.match_buffer(a, (4,), "int32")
        while data[0] == 0:
            data[1] = T.call_extern("int32", "sched_yield")

    return tvm.IRModule({"hang": hang})
