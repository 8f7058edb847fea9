"""Whole networks, compiled for this machine, compute what PyTorch computes."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tvm
from tvm import relax

from pipeline.build import Lowered, build, lower, serve
from pipeline.models import InputSpec, Model, load, names
from pipeline.records import Records
from pipeline.targets import host
from pipeline.targets.arm import CORES
from schedules.cpu.border import Border
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_lanes import PointwiseLanes

# Float32 sums in another order through some fifty layers.
TOLERANCE = 1e-4
HOST = host()
SMALL = InputSpec(64, 64)

COMPILED = [
    ("shufflenet-1.0x-g1", SMALL),
    ("shufflenet-1.0x-g2", SMALL),
    ("shufflenet-1.0x-g3", InputSpec()),
    ("shufflenet-1.0x-g4", SMALL),
    ("shufflenet-1.0x-g8", SMALL),
    ("shufflenet-2.0x-g3-se", SMALL),
    ("shufflenet-0.5x-g3-shallow", InputSpec(97, 131)),
    ("shufflenet-0.25x-g8-se-shallow", InputSpec(64, 96, batch=3, classes=7)),
    ("shufflenet-0.25x-g4", InputSpec(65, 64, batch=2, classes=1)),
    ("shufflenet-1.5x-g2-shallow", SMALL),
    ("mobilenet-1.0", InputSpec()),
    ("mobilenet-0.25", InputSpec(71, 128, batch=2)),
    ("squeezenet-1.0", InputSpec()),
    ("squeezenet-1.0", InputSpec(65, 97, batch=2, classes=7)),
    ("googlenet", InputSpec(97, 65, batch=2, classes=10)),
    ("alexnet", InputSpec(65, 97, batch=2)),
]
COMPILED_LONG = [
    ("googlenet", InputSpec()),
    ("alexnet", InputSpec()),
    ("vgg-16", InputSpec(65, 97, batch=2)),
    ("vgg-16", InputSpec()),
]
# What the runtime does beside calling kernels: look at the image, and give tensors their place.
NEEDED = {
    f"vm.builtin.{name}"
    for name in ("check_tensor_info", "match_shape", "alloc_storage", "alloc_tensor")
}
# Half a gigabyte of weights.
HEAVY = "vgg-16"
# Variants have operators of their own in any width; one width is enough to see them served.
WIDTH_OF_VARIANTS = "shufflenet-1.0x"


def networks() -> list[Any]:
    """Every model by name; for long runs the largest, and variants in further widths."""
    return [pytest.param(n, marks=pytest.mark.long) if _is_long(n) else n for n in names()]


def _is_long(name: str) -> bool:
    variant = "-se" in name or "-shallow" in name
    return name == HEAVY or (variant and not name.startswith(WIDTH_OF_VARIANTS))


# With group counts whose channels a vector does and does not divide, gates, and no groups.
ON_ARM = [
    ("shufflenet-1.0x-g3", SMALL),
    ("shufflenet-0.25x-g2", InputSpec(65, 64, batch=2)),
    ("shufflenet-0.25x-g8-se-shallow", SMALL),
    ("mobilenet-0.25", SMALL),
]


def lowered(model: Model) -> Lowered:
    return lower(model, HOST)


def by_hand() -> Records:
    return Records(HOST.family, {})


@pytest.mark.long
@pytest.mark.parametrize(("name", "spec"), ON_ARM, ids=lambda case: str(case))
def test_network_laid_out_for_an_arm_core_computes_what_pytorch_computes(
    name: str, spec: InputSpec
) -> None:
    """With the loop nests of that core, compiled for this one."""
    target = replace(HOST, machine=CORES["cortex-a76"].machine)
    model = load(name, spec, seed=5)
    built = build(model, target, by_hand())
    works = [stage.work for kernel in built.lowered.kernels for stage in kernel.stages]
    assert any(isinstance(work, PointwiseLanes) for work in works)
    assert not any(isinstance(work, Pointwise) and work.shuffle > 1 for work in works)
    main = relax.VirtualMachine(built.executable, tvm.cpu())["main"]
    print("seed 5")
    ours = main(tvm.runtime.tensor(model.example.numpy())).numpy()
    with torch.inference_mode():
        expected = model.module(model.example).numpy()
    assert np.abs(ours - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.long
@pytest.mark.parametrize(("name", "spec"), COMPILED_LONG, ids=lambda case: str(case))
def test_compiled_large_network_computes_what_pytorch_computes(name: str, spec: InputSpec) -> None:
    test_compiled_network_computes_what_pytorch_computes(name, spec)


@pytest.mark.parametrize(("name", "spec"), COMPILED, ids=lambda case: str(case))
def test_compiled_network_computes_what_pytorch_computes(name: str, spec: InputSpec) -> None:
    model = load(name, spec, seed=3)
    built = build(model, HOST, by_hand())
    text = built.executable.as_text()
    assert set(re.findall(r"vm\.builtin\.\w+", text)) == NEEDED
    assert re.findall(r"call +(?!vm\.)(\w+)", text) == ["network"]
    main = relax.VirtualMachine(built.executable, tvm.cpu())["main"]
    rng = np.random.default_rng(4)
    print("seeds 3, 4")
    for _ in range(3):
        images = rng.standard_normal(tuple(model.example.shape), dtype="float32")
        ours = main(tvm.runtime.tensor(images)).numpy()
        with torch.inference_mode():
            expected = model.module(torch.from_numpy(images)).numpy()
        assert ours.shape == expected.shape
        assert np.abs(ours - expected).max() <= TOLERANCE * np.abs(expected).max()
        np.testing.assert_array_equal(ours.argmax(1), expected.argmax(1))


@pytest.mark.parametrize("name", networks())
def test_every_operator_of_every_model_is_served(name: str) -> None:
    model = load(name)
    made = lowered(model)
    sources = [serve(kernel, HOST, by_hand()).source for kernel in made.kernels]
    assert set(sources) == {"hand"}
    assert sum(call.kernel.macs for call in made.calls) == model.macs
    waits = sum(_waits(made, number) for number in range(len(made.calls)))
    if name.startswith(("shufflenet", "mobilenet")) and "-se" not in name:
        assert waits <= 36


def _waits(made: Lowered, number: int) -> int:
    """How often the cores wait for each other in a call."""
    kernel = made.calls[number].kernel
    stages = sum(not isinstance(stage.work, Border) for stage in kernel.stages)
    return 1 if serve(kernel, HOST, by_hand()).tile.sharing == "strips" else stages


def test_branches_fill_the_tensor_that_an_earlier_kernel_began() -> None:
    made = lowered(load("squeezenet-1.0", SMALL))
    begun: set[str] = set()
    filled = []
    for call in made.calls:
        updated = {call.tensors[name] for name in call.kernel.updates}
        assert updated == begun & {call.tensors[s.writes] for s in call.kernel.stages}
        begun |= {call.tensors[name] for name in call.kernel.outputs}
        filled += updated
    assert len(filled) == len(set(filled)) == 8
    kinds = {type(stage.work).__name__ for call in made.calls for stage in call.kernel.stages}
    convolutions = {"SizedFirstConvolution", "Pointwise", "Convolution"}
    assert kinds - {"PointwiseDeep", "PointwiseUneven"} == {
        *convolutions,
        "SizedPool",
        "Mean",
        "Border",
    }


@pytest.mark.parametrize("groups", [2, 3, 4, 8])
def test_shuffle_is_an_index_and_nothing_else(groups: int) -> None:
    made = lowered(load(f"shufflenet-1.0x-g{groups}"))
    works = [stage.work for call in made.calls for stage in call.kernel.stages]
    shuffled = [w for w in works if getattr(w, "shuffle", 1) > 1 and w.first == 0]
    assert len(shuffled) == 16
    assert {work.shuffle for work in shuffled} == {groups}
    kinds = {type(work).__name__ for work in works}
    convolutions = {"Pointwise", "PointwiseDeep", "PointwiseUneven", "Depthwise"}
    convolutions |= {"FirstConvolution", "FirstConvolutionDeep", "PairedFirstConvolution"}
    assert kinds <= {*convolutions, "Pool", "RowPool", "Mean"}


def test_dump_writes_the_module_after_each_phase(tmp_path: Path) -> None:
    build(load("mobilenet-0.25", SMALL), HOST, by_hand(), tmp_path / "ir")
    phases = sorted(path.name for path in (tmp_path / "ir").iterdir())
    assert phases == ["1-imported.py", "2-simplified.py", "3-scheduled.py"]
    assert "batch_norm" in (tmp_path / "ir" / phases[0]).read_text()
    assert "batch_norm" not in (tmp_path / "ir" / phases[1]).read_text()
    assert "T.parallel" in (tmp_path / "ir" / phases[2]).read_text()
