"""Constants lie in the order in which kernels read them, each whole, at a line of its own."""

import numpy as np
from tvm import relax
from tvm.ir import GlobalVar

from pipeline.passes.kernel_calls import KernelCalls
from pipeline.passes.pack_constants import packed, placed
from schedules.machine import LINE

ARRAYS = {
    3: np.arange(20, dtype="float32").reshape(4, 5),
    1: np.arange(3, dtype="float16"),
    4: np.arange(LINE, dtype="uint8"),
}


def test_constants_lie_in_the_order_of_reading() -> None:
    constants = {number: relax.const(array) for number, array in sorted(ARRAYS.items())}
    forms = [
        constants[n].ty if n in constants else relax.TensorType((9,), "int8") for n in range(5)
    ]
    kernel, other = GlobalVar("kernel"), GlobalVar("other")
    # Tensors 0 and 2 are no constants, and constant 3 is read twice.
    read = KernelCalls(
        [(kernel, [0, 3, 1, 2]), (other, [2, 3, 0]), (kernel, [0, 3, 4])], forms, constants
    )
    where = placed(read)
    assert where.offsets == {3: 0, 1: 2 * LINE, 4: 3 * LINE}
    assert where.ends == [3 * LINE, 3 * LINE, 4 * LINE]
    assert where.bytes == 4 * LINE
    assert where.room == where.bytes + LINE
    together = packed(read, where)
    assert together.shape == (where.room,)
    assert not together[where.bytes :].any()
    for number, array in ARRAYS.items():
        offset = where.offsets[number]
        found = together[offset : offset + array.nbytes].view(array.dtype).reshape(array.shape)
        np.testing.assert_array_equal(found, array)
