"""The calls that make and replay a CUDA graph, in order, without a GPU."""

import gc

import pytest
import tvm

from pipeline.errors import WorkFailedError
from pipeline.gpu.graph import Replay


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
            return (1 if name == self.failing else 0, *(() if nothing else answer))

        return call


def test_an_inference_is_warmed_up_then_captured_then_replayed_in_one_launch() -> None:
    runtime = FakeRuntime()

    def network() -> str:
        runtime.calls.append("network")
        return "logits"

    replay = Replay(network, tvm.cuda(0), runtime)
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
    replay = Replay(lambda: None, tvm.cuda(0), runtime)
    runtime.calls.clear()
    assert replay.seconds(3) == [0.0005] * 3
    assert runtime.calls.count("cudaGraphLaunch") == 3
    assert runtime.calls.count("cudaStreamSynchronize") == 1
    assert runtime.calls.count("cudaEventCreate") == runtime.calls.count("cudaEventDestroy") == 4


def test_a_call_that_fails_is_named_and_the_collector_runs_again() -> None:
    with pytest.raises(WorkFailedError, match="cudaStreamBeginCapture failed"):
        Replay(lambda: None, tvm.cuda(0), FakeRuntime("cudaStreamBeginCapture"))
    assert gc.isenabled()
