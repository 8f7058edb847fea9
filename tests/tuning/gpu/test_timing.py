"""How a kernel is timed on a GPU, with a runtime that only notes what it is asked for."""

from collections import Counter

import pytest
import tvm

from pipeline.gpu.repeated import FEW
from pipeline.tune import gpu_place
from pipeline.tune.gpu_place import HereCuda
from tests.cuda.test_graph import FakeRuntime

# What the runtime says of each replay, and graphs that are long enough for the time asked for.
REPLAY_SECONDS, SHORTEST = 5e-4, 4


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    made = FakeRuntime()
    monkeypatch.setattr(gpu_place, "cuda_runtime", lambda: made)
    monkeypatch.setattr(tvm, "cuda", lambda _: tvm.cpu())
    return made


def test_a_launch_is_timed_among_many_in_a_graph(runtime: FakeRuntime) -> None:
    launched: list[tuple[object, ...]] = []

    def kernel(*arguments: object) -> None:
        launched.append(arguments)

    times = HereCuda().times({"main": kernel}, ["data", "out"], 5, SHORTEST)
    # A first graph of few launches says that 80 take as long as asked for.
    count = round(SHORTEST / 1e3 / (REPLAY_SECONDS / FEW))
    assert times == pytest.approx([REPLAY_SECONDS / count] * 5)
    # Two times to warm up and once to capture.
    assert len(launched) == 3 * (FEW + count)
    assert set(launched) == {("data", "out")}
    calls = Counter(runtime.calls)
    for made, freed in (
        ("cudaGraphInstantiate", "cudaGraphExecDestroy"),
        ("cudaStreamCreateWithFlags", "cudaStreamDestroy"),
        ("cudaEventCreate", "cudaEventDestroy"),
    ):
        assert calls[made] == calls[freed] > 0
    assert calls["cudaStreamBeginCapture"] == 2


def test_a_graph_that_fails_leaves_nothing_behind(runtime: FakeRuntime) -> None:
    runtime.failing = "cudaEventElapsedTime"
    with pytest.raises(Exception, match="cudaEventElapsedTime failed"):
        HereCuda().times({"main": lambda: None}, [], 5, SHORTEST)
    calls = Counter(runtime.calls)
    assert calls["cudaGraphInstantiate"] == calls["cudaGraphExecDestroy"] == 1
