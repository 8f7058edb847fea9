"""GPUs by name, the GPU of this machine, and requests that need one."""

from types import SimpleNamespace

import pytest

from pipeline.errors import RequestError
from pipeline.gpu.local import local_gpu, runs_code_of
from pipeline.targets import gpu_target, is_gpu, names, target_named
from pipeline.targets.gpu import GPUS

HERE = {
    "exist": True, "compute_version": "8.6", "multi_processor_count": 30,
    "max_clock_rate": 1700000, "l2_cache_size_bytes": 3 * 2**20,
}  # fmt: skip


def test_targets_by_name() -> None:
    architectures = {name: gpu.architecture for name, gpu in GPUS.items()}
    assert architectures == {
        "t4": 75, "a100": 80, "jetson-orin": 87, "ada": 89, "h100": 90, "blackwell": 120,
    }  # fmt: skip
    assert {"cuda", *GPUS} <= set(names())
    assert [is_gpu(name) for name in ("h100", "a100,h100", "cuda", "host")] == [True] * 3 + [False]


def test_a_jetson_has_an_arm_cpu() -> None:
    assert gpu_target("jetson-orin").host.architecture == "aarch64"
    with pytest.raises(RequestError, match="one kind of CPU"):
        gpu_target("h100,jetson-orin")


def test_several_gpus_in_one_target() -> None:
    target = gpu_target("a100,h100,a100")
    assert (target.name, target.architectures) == ("a100,h100,a100", (80, 90))


@pytest.mark.parametrize(
    ("ask", "saying"),
    [
        (lambda: gpu_target("h200"), "unknown GPU 'h200'; nearest: h100"),
        (lambda: target_named("h100"), "h100 is a GPU"),
        (lambda: target_named("h1000"), "nearest: h100"),
    ],
)
def test_a_bad_target(ask, saying: str) -> None:
    with pytest.raises(RequestError, match=saying):
        ask()


def test_the_gpu_of_this_machine_is_what_it_says_of_itself() -> None:
    gpu = local_gpu(lambda _: SimpleNamespace(**HERE))
    assert gpu is not None
    assert (gpu.architecture, gpu.multiprocessors, gpu.clock_hz) == (86, 30, 1.7e9)
    # No record has its architecture; the nearest one before it is that of the A100.
    assert gpu.bandwidth == GPUS["a100"].bandwidth


def test_which_gpu_runs_which_code() -> None:
    assert runs_code_of(86, 80)
    assert not runs_code_of(80, 86)
    assert not runs_code_of(90, 80)
    assert not runs_code_of(89, 87)
    assert runs_code_of(87, 87)


def test_without_a_gpu_this_machine_is_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = local_gpu(lambda _: SimpleNamespace(exist=False))
    assert missing is None
    monkeypatch.setattr("pipeline.gpu.local.local_gpu", lambda: missing)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(RequestError, match="no GPU in reach: --target cuda needs an NVIDIA GPU"):
        gpu_target("cuda")
