"""Kernels for a GPU as tasks: their candidates, what these are given, and what tuning needs."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RequestError
from pipeline.gpu import tuner
from pipeline.gpu.calls import Call
from pipeline.gpu.tuner import GpuTuner
from pipeline.gpu.workload import work_of
from pipeline.records import canonical
from pipeline.targets import GpuTarget, gpu_target
from pipeline.targets.gpu import GPUS
from pipeline.tune.gpu_kind import GpuKind, gpu_tasks
from pipeline.tune.gpu_space import SLOWER, GpuSpace
from pipeline.tune.gpu_subject import GpuSubject
from pipeline.tune.space import expected_path
from schedules.cuda.chain import Chain
from schedules.cuda.operators import signature
from tests.tuning.gpu.conftest import NAME, NVRTC


def test_what_candidates_are_given_and_compared_with(
    calls: list[Call], gpu: GpuTarget, tmp_path: Path
) -> None:
    for number, call in enumerate(calls):
        subject, own = GpuSubject(call.work, gpu, "nvrtc"), signature(call.work)
        at = tmp_path / f"{number}.npz"
        np.savez(at, *subject.arguments(3))
        subject.reference(tmp_path / "none.so", [(at, 3)])
        with np.load(at) as given, np.load(expected_path(at)) as wanted:
            types = [(array.shape, array.dtype.name) for array in given.values()]
            made = tuple((array.shape, array.dtype.name) for array in wanted.values())
        asked = [*own.inputs.values(), *own.constants.values()]
        assert types == [(one.shape, one.dtype) for one in asked]
        assert made == subject.parameters.outputs


def test_a_workload_tells_its_kernel(calls: list[Call]) -> None:
    for task in gpu_tasks([calls]):
        assert work_of(json.loads(canonical(task.workload))) == task.kernel
    assert work_of({**task.workload, "unknown": 1}) is None
    assert work_of({"operator": "Pointwise"}) is None


def test_what_a_count_of_cycles_finds_slow_is_left_out_and_the_rest_is_told_by_it(
    calls: list[Call], gpu: GpuTarget
) -> None:
    task = next(one for one in gpu_tasks([calls]) if isinstance(one.kernel, Chain))
    assert isinstance(task.kernel, Chain)
    space = GpuSpace(task.kernel, gpu.gpu)
    counted = [space.describe(task.workload, tile)["counted"] for tile in space.tiles]
    assert counted == sorted(counted)
    assert np.exp(counted[63] - counted[0]) < SLOWER or len(counted) <= 64
    shapes = [(one["rows"], one["columns"], one["parts"], one["groups"]) for one in space.likely]
    assert len(set(shapes)) == len(shapes) > 1
    assert space.describe(task.workload, space.hand)["counted"] == 0
    assert all(space.fits(tile) for tile in space.tiles)
    assert not space.fits({**space.hand, "threads": 33})


def test_other_gpus_and_compilers_are_other_conditions(gpu: GpuTarget) -> None:
    here = GpuKind(gpu, NVRTC).conditions("local")
    assert here["device"] == NAME
    assert here["compiler"]["cuda"] == NVRTC.label
    assert here != GpuKind(gpu, NVRTC).conditions("rpc://127.0.0.1:9190/orin")
    assert here != GpuKind(gpu_target("t4"), NVRTC).conditions("local")


def test_what_is_missing_is_said_before_anything_is_loaded(
    gpu: GpuTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = GpuTuner(gpu, tmp_path, NVRTC)
    monkeypatch.setattr("pipeline.gpu.local.local_gpu", lambda: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(RequestError, match="no GPU in reach: tune needs an NVIDIA GPU"):
        ours.require(["local"])
    # A device over RPC has the GPU.
    ours.require(["rpc://127.0.0.1:9190/orin"])
    monkeypatch.setattr(tuner, "require_gpu", lambda _: GPUS["t4"])
    with pytest.raises(RequestError, match=r"code for h100 .* capability 7\.5; take --target cuda"):
        ours.require(["local"])

    def lacking() -> None:
        raise RequestError("CUDA graphs need the package cuda-bindings")

    monkeypatch.setattr(tuner, "require_gpu", lambda _: GPUS["h100"])
    monkeypatch.setattr(tuner, "cuda_runtime", lacking)
    with pytest.raises(RequestError, match="cuda-bindings"):
        ours.require(["local"])
