"""What is found in the code of a network is all of it, and the bound is one."""

from collections.abc import Callable

import pytest

from pipeline.analysis.mca import find_mca
from pipeline.analysis.records import Analysis
from pipeline.analysis.run import Tiled, analysis_of
from pipeline.build import lower, serve
from pipeline.models import InputSpec, load
from pipeline.records import Records
from pipeline.targets import target_named

SMALL = InputSpec(64, 64)
# Published times of MobileNet 1.0 at one thread, float32, in ms: Paddle-Lite on the A72 of an
# RK3399 and on a Snapdragon 855, ncnn on a Snapdragon 821. The clocks, in GHz, are the devices'.
PUBLISHED = [("cortex-a72", 1.8, 103.4), ("cortex-a76", 2.84, 29.04), ("kryo", 2.35, 80.9)]


@pytest.fixture(scope="module")
def analyzed() -> Callable[..., Analysis]:
    """Analyses a network with tiles by hand."""

    def analyze(name: str, core: str, spec: InputSpec, ghz: float, program: str | None) -> Analysis:
        target, model = target_named(core), load(name, spec)
        lowered = lower(model, target)
        records = Records(target.family, {})
        served = {kernel: serve(kernel, target, records) for kernel in lowered.kernels}
        return analysis_of(Tiled(model, target, lowered, served), ghz, program)

    return analyze


@pytest.mark.parametrize("core", ["cortex-a76", "host", "armv7a"])
def test_the_multiply_adds_are_found(analyzed: Callable[..., Analysis], core: str) -> None:
    found = analyzed("shufflenet-0.25x-g1", core, SMALL, 2.0, None)
    made = sum(
        kernel.calls * loop.macs * (loop.runs or 0)
        for kernel in found.kernels
        for loop in kernel.loops
    )
    macs = load("shufflenet-0.25x-g1", SMALL).macs
    # What whole vectors and overlapping strips compute twice comes on top.
    assert 0.98 * macs <= made <= 1.6 * macs
    assert found.vector_share > 0.95
    assert found.bound_ms >= 0.98 * found.peak_ms
    assert found.model_of_core is None


@pytest.mark.long
@pytest.mark.skipif(find_mca() is None, reason="llvm-mca 19 or later is not installed")
@pytest.mark.parametrize(("core", "ghz", "published"), PUBLISHED)
def test_the_bound_is_below_what_was_published(
    analyzed: Callable[..., Analysis], core: str, ghz: float, published: float
) -> None:
    found = analyzed("mobilenet-1.0", core, InputSpec(), ghz, find_mca())
    print(f"{core}: published {published} ms, modelled bound {found.bound_ms:.1f} ms")
    assert 0.5 * published < found.bound_ms < published
