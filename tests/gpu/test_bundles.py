"""Bundles on a GPU: right, in one graph, without allocating, and measured beside PyTorch."""

from pathlib import Path

import numpy as np
import pytest
import tvm
import tvm_ffi
from safetensors.numpy import load_file

from pipeline.bundle import Bundle, verify
from pipeline.check import TOLERANCES, relative_error
from pipeline.compile import Recipe, compile_bundle
from pipeline.gpu.graph import Replay, cuda_runtime
from pipeline.manifest import CHECK
from pipeline.models import InputSpec
from tests.cuda.agreement import assert_same_largest

pytestmark = pytest.mark.gpu
NETWORKS = [
    "shufflenet-1.0x-g1", "shufflenet-1.0x-g2", "shufflenet-1.0x-g3", "shufflenet-1.0x-g4",
    "shufflenet-1.0x-g8", "shufflenet-0.5x-g3", "shufflenet-2.0x-g3-se", "mobilenet-1.0",
]  # fmt: skip
ODD = InputSpec(65, 67, batch=3, classes=7)
REPLAYS = 100


def compiled(
    name: str, spec: InputSpec, folder: Path, dtype: str = "float32", compiler: str = "auto"
) -> Bundle:
    recipe = Recipe(name, "cuda", folder / "no-logs", spec, cuda_compiler=compiler, dtype=dtype)
    return compile_bundle(recipe, folder / "bundle").bundle


def assert_agrees(bundle: Bundle, dtype: str, device) -> None:
    agreement = verify(bundle).torch
    assert agreement.max_relative_error <= TOLERANCES[dtype]
    if dtype == "float32":
        assert agreement.top1_agreement == 1
        return
    stored = load_file(bundle.folder / CHECK)
    library = tvm.runtime.load_module(str(bundle.library))
    main = tvm.relax.VirtualMachine(library, device)["main"]
    ours = main(tvm.runtime.tensor(stored["input"], device)).numpy()
    assert relative_error(ours, stored["torch"]) <= TOLERANCES[dtype]
    assert_same_largest(ours, stored["torch"])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("batch", [1, 8, 128])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_bundle_computes_what_pytorch_computes(
    name: str, batch: int, dtype: str, device, tmp_path: Path
) -> None:
    assert_agrees(compiled(name, InputSpec(224, 224, batch), tmp_path, dtype), dtype, device)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", ["shufflenet-0.25x-g4", "mobilenet-0.25"])
def test_odd_sizes_by_nvrtc(name: str, dtype: str, device, tmp_path: Path) -> None:
    assert_agrees(compiled(name, ODD, tmp_path, dtype, "nvrtc"), dtype, device)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_one_graph_holds_all_kernels_and_replays_allocate_nothing(
    dtype: str, device, tmp_path: Path
) -> None:
    bundle = compiled("shufflenet-1.0x-g3", InputSpec(64, 64), tmp_path, dtype)
    main = tvm.relax.VirtualMachine(tvm.runtime.load_module(str(bundle.library)), device)["main"]
    rng = np.random.default_rng(5)
    images = [rng.standard_normal((1, 3, 64, 64), "float32") for _ in range(2)]
    image = tvm.runtime.tensor(images[0], device)

    def start(stream: int):
        with tvm_ffi.use_raw_stream(device, stream):
            return main(image)

    replay = Replay(start, cuda_runtime())
    assert replay.kernels == sum(kernel.calls for kernel in bundle.manifest.kernels)
    free = device.available_global_memory
    for data in images:
        image.copyfrom(data)
        device.sync()
        for _ in range(REPLAYS):
            replay.launch()
        replay.wait()
        ours = replay.result.numpy()
        alone = main(tvm.runtime.tensor(data, device)).numpy()
        assert relative_error(ours, alone) == 0
    assert device.available_global_memory == free
    times = replay.seconds(REPLAYS)
    assert len(times) == REPLAYS
    assert all(seconds > 0 for seconds in times)
