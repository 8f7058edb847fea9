"""A program that does what a kernel should not."""

from tvm.script import tirx as T
from tvm.tirx import PrimFunc


def strided_copy(columns: int) -> PrimFunc:
    """Each thread of a warp copies the first value of another row."""

    @T.prim_func(s_tir=True)
    def copy(source: T.Buffer((32, columns), "float32"), copy: T.Buffer((32,), "float32")):
        for _block in T.thread_binding(1, thread="blockIdx.x"):
            for thread in T.thread_binding(32, thread="threadIdx.x"):
                copy[thread] = source[thread, 0]

    return copy
