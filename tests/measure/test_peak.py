"""The ceiling: FMAs and nothing else in the loop, on every kind of machine."""

import pytest
import tvm

from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import HANDOVER, PEAK
from pipeline.handover import build_handover, handover_module, nanoseconds
from pipeline.handover_function import WAITS
from pipeline.lowering import lowering
from pipeline.peak import build_peak, peak_module
from pipeline.peak_kernel import PeakKernel

TARGETS = {
    "avx2": (8, 12, {"mcpu": "haswell", "mtriple": "x86_64-linux-gnu"}, "vfmadd"),
    "avx512": (16, 20, {"mcpu": "skylake-avx512", "mtriple": "x86_64-linux-gnu"}, "vfmadd"),
    "neon": (4, 20, {"mcpu": "cortex-a76", "mtriple": "aarch64-linux-gnu"}, "fmla"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_the_loop_is_one_fma_for_each_accumulator(name):
    lanes, accumulators, options, instruction = TARGETS[name]
    target = tvm.target.Target({"kind": "llvm", **options})
    built = tvm.compile(peak_module(PeakKernel(lanes, accumulators)), target=target)
    lines = [line.split() for line in built.mod.inspect_source("asm").splitlines()]
    names = [line[0] for line in lines if line]
    fused = sum(name.startswith(instruction) for name in names)
    assert fused
    assert fused % accumulators == 0
    assert not any(name.startswith(("vmulps", "vaddps", "fmul", "fadd")) for name in names)


def test_the_ceiling_is_measured_like_an_engine(tmp_path, data):
    kernel = PeakKernel(lanes=4, accumulators=8, steps=1000)
    build_peak(kernel, tvm.target.Target({"kind": "llvm"}), tmp_path / "peak.so")
    fields = {"lanes": 4, "accumulators": 8, "tasks": 1, "steps": 1000}
    with EngineProcess(PEAK, 1) as engine:
        engine.load({"library": str(tmp_path / "peak.so"), "kernel": fields}, data)
        assert (engine.output(data) == 1).all()
        assert min(engine.run(5).samples) > 0
    assert kernel.macs == 32_000


@pytest.mark.parametrize("triple", ["x86_64-linux-gnu", "aarch64-linux-gnu"])
def test_cores_wait_for_each_other_so_often(triple):
    """Without system calls where they have instructions for it and are few."""
    target = tvm.target.Target({"kind": "llvm", "mtriple": triple})
    built = tvm.compile(handover_module(), target=target, tir_pipeline=lowering())
    code = built.mod.inspect_source("ll")
    assert code.count("load ptr, ptr @__TVMBackendParallelBarrier") == WAITS
    own = WAITS if triple.startswith("x86_64") else 0
    assert code.count("call void @llvm.x86.sse.sfence") == own
    assert code.count("call void @llvm.x86.sse2.lfence") == own


def test_how_long_cores_wait_is_measured_like_an_engine(tmp_path, data):
    build_handover(tvm.target.Target({"kind": "llvm"}), tmp_path / "handover.so")
    with EngineProcess(HANDOVER, 2) as engine:
        engine.load({"library": str(tmp_path / "handover.so")}, data)
        rounds = [engine.run(5, settle=5).samples for _ in range(3)]
    # From a line in a common cache to cores that take turns on one.
    assert all(10 < taken < 1e6 for taken in nanoseconds(rounds))
    assert nanoseconds([[WAITS * 3e-9, WAITS * 1e-9, WAITS * 2e-9]]) == [pytest.approx(2)]
