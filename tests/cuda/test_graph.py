"""The calls that make and replay a CUDA graph, in order, without a GPU."""

import gc
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from pipeline.bench import subject_of
from pipeline.compile import Recipe, compile_bundle
from pipeline.contest import Conditions
from pipeline.engines.registry import OURS, PEERS
from pipeline.errors import WorkFailedError
from pipeline.gpu.graph import Replay
from pipeline.models import InputSpec
from pipeline.runner import Plan
from pipeline.targets import host
from pipeline.targets.gpu import GPUS

# The package's own name for it is the function.
contest = import_module("pipeline.contest")


class FakeRuntime:
    """Notes every call; streams, graphs and events are numbers."""

    cudaStreamNonBlocking = 1

    class cudaStreamCaptureMode:
        cudaStreamCaptureModeRelaxed = 2

    def __init__(self, failing: str = "") -> None:
        self.calls, self.failing = [], failing

    def __getattr__(self, name: str):
        def call(*arguments: object) -> tuple[object, ...]:
            self.calls.append(name)
            given = {"cudaEventElapsedTime": 0.5, "cudaGraphGetNodes": 21}.get(name, 7)
            answer = ([], given) if name == "cudaGraphGetNodes" else (given,)
            nothing = name in ("cudaGraphLaunch", "cudaStreamSynchronize", "cudaEventRecord")
            nothing |= name.endswith("Destroy")
            return (1 if name == self.failing else 0, *(() if nothing else answer))

        return call


def test_an_inference_is_warmed_up_then_captured_then_replayed_in_one_launch() -> None:
    runtime = FakeRuntime()

    def network(stream: int) -> str:
        assert stream == 7
        runtime.calls.append("network")
        return "logits"

    replay = Replay(network, runtime)
    assert runtime.calls == [
        "cudaStreamCreateWithFlags", "network", "network", "cudaStreamSynchronize",
        "cudaStreamBeginCapture", "network", "cudaStreamEndCapture", "cudaGraphGetNodes",
        "cudaGraphInstantiate", "cudaGraphDestroy",
    ]  # fmt: skip
    assert (replay.result, replay.kernels) == ("logits", 21)
    runtime.calls.clear()
    replay.launch()
    assert runtime.calls == ["cudaGraphLaunch"]


def test_inferences_are_timed_by_events_without_waiting_between_them() -> None:
    runtime = FakeRuntime()
    replay = Replay(lambda _: None, runtime)
    runtime.calls.clear()
    assert replay.seconds(3) == [0.0005] * 3
    assert runtime.calls.count("cudaGraphLaunch") == 3
    assert runtime.calls.count("cudaStreamSynchronize") == 1
    assert runtime.calls.count("cudaEventCreate") == runtime.calls.count("cudaEventDestroy") == 4


def test_a_replay_that_is_closed_leaves_nothing_on_the_device() -> None:
    runtime = FakeRuntime()
    replay = Replay(lambda _: None, runtime)
    runtime.calls.clear()
    replay.close()
    assert runtime.calls == ["cudaStreamSynchronize", "cudaGraphExecDestroy", "cudaStreamDestroy"]


def test_a_call_that_fails_is_named_and_the_collector_runs_again() -> None:
    with pytest.raises(WorkFailedError, match="cudaStreamBeginCapture failed"):
        Replay(lambda _: None, FakeRuntime("cudaStreamBeginCapture"))
    assert gc.isenabled()


def test_a_gpu_is_measured_without_the_loop_of_multiply_adds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The path of a contest on a GPU, with the engine of a CPU in its place."""
    compiled = compile_bundle(
        Recipe("shufflenet-0.25x-g1", "host", tmp_path, InputSpec(64, 64)), tmp_path / "bundle"
    )
    monkeypatch.setattr(contest, "OURS_CUDA", OURS)
    subject = subject_of(compiled.bundle, compiled.model, host(), None)
    on_gpu = replace(subject, gpu=GPUS["t4"])
    plan = Plan(seconds=0.1, limit_seconds=0.2, warm_up_seconds=0.1)
    peers = [PEERS["onnxruntime"], PEERS["torch-cuda"]]
    done = contest.contest(on_gpu, Conditions(peers, 1, tmp_path, plan))
    (result,) = done.results
    assert result.engine == OURS.name
    assert done.peak_gmacs == GPUS["t4"].peak_macs / 1e9
    assert result.fraction_of_peak == result.gmacs_per_second / done.peak_gmacs
    assert result.images_per_second == pytest.approx(1e3 / result.latency_ms.p50)
    reasons = {one.engine: one.reason for one in done.absent}
    assert reasons["onnxruntime"] == "it runs on a CPU"
    assert torch.cuda.is_available() or "no GPU" in reasons["torch-cuda"]
