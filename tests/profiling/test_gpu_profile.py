"""The profile of a network on a GPU, with a runtime that only notes what it is asked for."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tvm

from pipeline.build import apply, by_hand, emitted, lower, read_network
from pipeline.bundle import Bundle
from pipeline.compile import Recipe, compile_bundle
from pipeline.compiling import compile_network
from pipeline.errors import RequestError, WorkFailedError
from pipeline.gpu.build import calls_on, kernels_of
from pipeline.models import InputSpec, Model, load
from pipeline.profiling import cuda_worker, gpu_profile
from pipeline.profiling.gpu_profile import profile_on_gpu
from pipeline.profiling.gpu_table import describe_gpu, gpu_rows
from pipeline.profiling.replay_worker import FEWEST_ROUNDS
from pipeline.profiling.trace import trace
from pipeline.targets import gpu_target, host
from pipeline.targets.gpu import GPUS
from tests.cuda.test_graph import FakeRuntime

SPEC = InputSpec(64, 64)
NAME = "shufflenet-0.25x-g4"
SECONDS, WHOLE = 2e-6, 3e-5


@dataclass(frozen=True)
class Made:
    """A bundle for an H100 with its model."""

    bundle: Bundle
    model: Model
    functions: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("gpu-profile")
    recipe = Recipe(NAME, "h100", folder / "no-logs", SPEC, cuda_compiler="nvrtc")
    compiled = compile_bundle(recipe, folder / "bundle")
    target = gpu_target("h100")
    calls = calls_on(read_network(compiled.model), target)
    names = {kernel.work: kernel.name for kernel in kernels_of(calls, target)}
    return Made(compiled.bundle, compiled.model, [names[call.work] for call in calls])


@pytest.fixture
def found(made: Made, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the process beside the GPU says."""
    reply = {
        "names": made.functions, "same": True, "gpu": "NVIDIA H200", "nodes": len(made.functions),
        "seconds": [SECONDS] * len(made.functions), "whole": [WHOLE, WHOLE, 1.0],
    }  # fmt: skip
    monkeypatch.setattr(gpu_profile, "require_gpu", lambda _: GPUS["h100"])
    monkeypatch.setattr(gpu_profile, "replayed_on_gpu", lambda *_: reply)
    return reply


@pytest.mark.parametrize("name", ["shufflenet-1.0x-g3", "shufflenet-0.25x-g4-se", "mobilenet-1.0"])
def test_every_operator_is_in_one_kernel(name: str) -> None:
    network = read_network(load(name, SPEC))
    computed = Counter(
        id(one) for call in calls_on(network, gpu_target("h100")) for one in call.operators
    )
    assert computed == Counter(id(one) for one in network.operators)


def test_every_kernel_has_its_time_its_modules_and_its_bound(made: Made, found) -> None:
    profile = profile_on_gpu(made.bundle, made.model, 1.0)
    assert (profile.gpu, profile.architecture, profile.dtype) == ("NVIDIA H200", 90, "float32")
    assert [call.function for call in profile.calls] == made.functions
    assert {call.ms for call in profile.calls} == {SECONDS * 1e3}
    assert profile.whole_ms == WHOLE * 1e3
    assert sum(call.macs for call in profile.calls) == made.bundle.manifest.macs
    assert all(path for call in profile.calls for path in call.paths)
    assert all(len(call.paths) == len(call.operators) for call in profile.calls)
    assert all(0 < call.bound_ms < profile.whole_ms for call in profile.calls)
    assert profile.calls[0].operators == ["first_convolution", "max_pool"]


def test_the_table_adds_up_and_the_words_hold_it_against_the_whole(made: Made, found) -> None:
    profile = profile_on_gpu(made.bundle, made.model, 1.0)
    rows = gpu_rows(profile)
    assert rows.title == f"{NAME} on NVIDIA H200, batch 1, float32"
    assert len(rows.cells) == len(profile.calls) + 1
    assert all(len(cells) == len(rows.headings) for cells in rows.cells)
    total = f"{len(made.functions) * SECONDS * 1e6:.1f}"
    assert rows.cells[-1][3] == total
    gap = len(made.functions) * SECONDS / WHOLE - 1
    assert f"add up to {total} us" in describe_gpu(profile)[0]
    assert f"{WHOLE * 1e6:.1f} us: {gap:+.1%}" in describe_gpu(profile)[0]
    events = [event for event in trace(profile)["traceEvents"] if event.get("tid") == 2]
    assert [event["name"] for event in events if event["ph"] == "X"] == made.functions


def test_kernels_in_another_order_are_no_profile(made: Made, found) -> None:
    found["names"] = list(reversed(made.functions))
    with pytest.raises(WorkFailedError, match="is due"):
        profile_on_gpu(made.bundle, made.model, 1.0)


def test_kernels_that_compute_something_else_are_no_profile(made: Made, found) -> None:
    found["same"] = False
    with pytest.raises(WorkFailedError, match="something else"):
        profile_on_gpu(made.bundle, made.model, 1.0)


def test_a_bundle_of_another_compiler_is_refused(made: Made, found) -> None:
    first, *rest = made.bundle.manifest.kernels
    tile = first.model_copy(update={"stages": [first.stages[0] | {"threads": 7}]})
    manifest = made.bundle.manifest.model_copy(update={"kernels": [tile, *rest]})
    with pytest.raises(RequestError, match="compile it again"):
        profile_on_gpu(replace(made.bundle, manifest=manifest), made.model, 1.0)


def test_the_worker_replays_the_whole_and_each_kernel_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With kernels for the CPU, which run when a graph is captured."""
    runtime = FakeRuntime()
    monkeypatch.setattr(cuda_worker, "load_runtime", lambda: None)
    monkeypatch.setattr(cuda_worker, "cuda_runtime", lambda: runtime)
    monkeypatch.setattr(tvm, "cuda", lambda _: tvm.cpu())
    model = load(NAME, SPEC)
    lowered = lower(model, host())
    functions = {kernel: apply(kernel, by_hand(kernel, host())) for kernel in lowered.kernels}
    module, names = emitted(lowered, functions)
    library, image = tmp_path / "model.so", tmp_path / "input.npy"
    compile_network(module, host(), apart=True).export_library(str(library))
    np.save(image, model.example.numpy())
    request = {"library": str(library), "input": str(image), "seconds": 1e-3}
    reply = cuda_worker.profile(request)
    calls = Counter(names[call.kernel] for call in lowered.calls)
    assert reply["same"]
    assert Counter(reply["names"]) >= calls
    assert len(reply["seconds"]) == len(reply["names"]) >= calls.total()
    assert len(reply["whole"]) == FEWEST_ROUNDS * (cuda_worker.TURN - 1)
    # One graph of the whole; of each kernel one that says how long it takes, and one that counts.
    assert Counter(runtime.calls)["cudaStreamBeginCapture"] == 1 + 2 * len(reply["names"])
