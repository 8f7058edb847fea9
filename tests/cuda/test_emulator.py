"""The CPU that runs CUDA source sees what is wrong with it."""

import numpy as np
import pytest

from pipeline.gpu.device_source import FIRST_KERNEL
from tests.cuda.emulator import Emulated

THREADS = 64
HEAD = f"{FIRST_KERNEL} void __launch_bounds__({THREADS}) one_kernel(float* out_ptr) {{"
REVERSE = """
  __shared__ alignas(64) float row[64];
  row[threadIdx.x] = threadIdx.x;
  {barrier}
  out_ptr[threadIdx.x] = row[63 - threadIdx.x];
}}
"""


def run(body: str, backwards: bool = False) -> np.ndarray:
    out = np.full(THREADS, np.nan, "float32")
    return Emulated(HEAD + body).run("one", 1, {"out": out}, backwards)["out"]


@pytest.mark.parametrize("backwards", [False, True])
def test_threads_meet_at_barriers(backwards: bool) -> None:
    made = run(REVERSE.format(barrier="__syncthreads();"), backwards)
    assert (made == np.arange(THREADS)[::-1]).all()


def test_a_barrier_that_is_missing_leaves_nan() -> None:
    assert np.isnan(run(REVERSE.format(barrier=""))).any()


def test_a_barrier_that_some_threads_pass_by_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="different barriers"):
        run("if (threadIdx.x < 9)\n __syncthreads();\n else\n __syncthreads();\n}\n")


def test_a_vector_out_of_line_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="out of line"):
        run("*(float2*)(out_ptr + 2 * (threadIdx.x / 4) + 1) = make_float2(0, 0);\n}\n")
