"""A network profiled on a GPU: its kernels alone take about what they take in its graph."""

from pathlib import Path

import pytest

from pipeline.compile import Recipe
from pipeline.models import InputSpec
from pipeline.profiling.run import profile_all

pytestmark = pytest.mark.gpu
# A kernel alone finds its tensors in the second-level cache, and waits for no other kernel's.
GAP = 0.25


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_kernels_add_up_to_the_whole(dtype: str, batch: int, gpu, tmp_path: Path) -> None:
    spec = InputSpec(224, 224, batch)
    recipe = Recipe("shufflenet-1.0x-g3", "cuda", tmp_path / "no-logs", spec, dtype=dtype)
    (profile,) = profile_all([recipe], (1,), 1.0, lambda *_: None).gpu
    print(profile.kernels_ms, profile.whole_ms)
    assert profile.nodes == len(profile.calls)
    assert abs(profile.gap) < GAP
    # Nothing of a kernel is faster than its bound but what comes from a cache and not from memory.
    assert profile.bound_ms < profile.kernels_ms
