"""Networks in float16, from the CUDA source that a GPU's compiler gets, next to PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.build import read_network
from pipeline.check import compare, random_inputs, require_agreement
from pipeline.errors import RequestError
from pipeline.gpu.accesses import accesses
from pipeline.gpu.analysis import launch_of
from pipeline.gpu.build import BuiltGpu, Scheduled, schedule_network
from pipeline.gpu.compilers import DeviceCode, compiler_named
from pipeline.gpu.export import export_gpu
from pipeline.gpu.pack import as_fragments
from pipeline.models import InputSpec, Model, load
from pipeline.targets import gpu_target
from pipeline.targets.gpu import GPUS
from schedules.cuda.chain import Chain, on_matrices
from schedules.cuda.operators import Work, hand_tile, program, signature, tiles_that_fit
from schedules.cuda.window import Window
from tests.cuda.agreement import assert_same_largest
from tests.cuda.emulated_networks import compute
from tests.cuda.emulator import Emulated, cuda_source
from tests.cuda.half_works import HALF, OTHERS, PRODUCTS, TOLERANCE, frame, product

SEED, TWO = 11, (75, 90)
CANDIDATES = 3
T4 = GPUS["t4"]
NETWORKS = [
    *(
        (f"shufflenet-1.0x-g{groups}", InputSpec(64, 64, batch, 10))
        for groups in (1, 2, 3, 4, 8)
        for batch in (1, 8)
    ),
    ("shufflenet-0.25x-g8-se-shallow", InputSpec(64, 96, batch=3, classes=7)),
    ("shufflenet-0.25x-g4", InputSpec(65, 67, batch=2, classes=3)),
    ("mobilenet-1.0", InputSpec(64, 64, classes=10)),
    ("mobilenet-1.0", InputSpec(64, 64, batch=8, classes=10)),
    ("mobilenet-0.25", InputSpec(71, 128, batch=2, classes=10)),
]


KINDS = {**PRODUCTS, **OTHERS}
QUICK = (
    "odd groups", "deep", "unit of groups", "pooled follow", "shuffled runs", "fused mean",
    "depthwise", "mean", "scale",
)  # fmt: skip
POINTWISE = Chain(frame(8, 14, 14, 240), frame(8, 14, 14, 480), project=product(1, 240, 480))
DEPTHWISE = Chain(frame(8, 14, 14, 64), frame(8, 14, 14, 64), window=Window("depthwise", 1))


def long(value: object) -> object:
    return pytest.param(value, marks=pytest.mark.long)


@pytest.fixture(scope="session")
def batch() -> Model:
    """Every kind of kernel that there is, for images enough that tensor cores pay."""
    return load("shufflenet-0.25x-g4-se-shallow", InputSpec(64, 64, batch=8, classes=10), seed=3)


@pytest.fixture(scope="session")
def half(batch: Model) -> Scheduled:
    """It in float16."""
    return schedule_network(read_network(batch), gpu_target("h100", HALF))


@pytest.fixture(scope="session")
def code(half: Scheduled) -> DeviceCode:
    """Of a Turing and a Hopper GPU."""
    return compiler_named("nvrtc").compile(half.source, TWO)


def assert_agrees(model: Model, scheduled: Scheduled, backwards: bool = False) -> None:
    print("seeds 3, 4")
    (images,) = random_inputs(tuple(model.example.shape), 1, 4)
    ours = compute(scheduled, images, backwards)
    with torch.inference_mode():
        expected = model.module(torch.from_numpy(images)).numpy()
    agreement = compare([ours], [expected])
    print(agreement)
    require_agreement(agreement, model.name, HALF)
    assert_same_largest(ours, expected)
    # A network in float32 would be nearer to PyTorch.
    assert agreement.max_relative_error > 1e-5


@pytest.mark.parametrize("backwards", [False, long(True)])
def test_a_network_computes_what_pytorch_computes(
    half: Scheduled, batch: Model, backwards: bool
) -> None:
    on = {one.work.matrices for one in half.kernels if isinstance(one.work, Chain)}
    assert on == {False, True}
    assert_agrees(batch, half, backwards)


@pytest.mark.long
@pytest.mark.parametrize("gpu", ["t4", "h100"])
@pytest.mark.parametrize(("name", "spec"), NETWORKS, ids=str)
def test_every_network_computes_what_pytorch_computes(name: str, spec: InputSpec, gpu: str) -> None:
    model = load(name, spec, seed=3)
    assert_agrees(model, schedule_network(read_network(model), gpu_target(gpu, HALF)))


@pytest.mark.parametrize("name", [name if name in QUICK else long(name) for name in KINDS])
def test_random_tiles_compute_the_same(name: str) -> None:
    work, rng = KINDS[name], np.random.default_rng(SEED)
    print(f"seed {SEED}")
    own = signature(work)
    arguments = {
        name: rng.standard_normal(one.shape, dtype="float32").astype(one.dtype)
        for name, one in {**own.inputs, **own.constants}.items()
    }
    cases = [(work, hand_tile(work, T4), arguments), *drawn(work, arguments, rng)]
    if work in PRODUCTS.values():
        other = on_matrices(work)
        cases += drawn(other, as_fragments(other, arguments), rng)
    functions = {f"tile{n}": program(one, tile) for n, (one, tile, _) in enumerate(cases)}
    emulated, made = Emulated(cuda_source(functions)), []
    for (name, function), (_, _, given) in zip(functions.items(), cases, strict=True):
        fresh = {key: np.full(one.shape, np.nan, one.dtype) for key, one in own.outputs.items()}
        made.append(emulated.run(name, launch_of(function).blocks, given | fresh))
    for key in own.outputs:
        first, *others = (one[key].astype("float32") for one in made)
        assert np.isfinite(first).all()
        for (one, tile, _), ours in zip(cases[1:], others, strict=True):
            assert np.abs(ours - first).max() <= TOLERANCE * np.abs(first).max(), (one, tile)


def drawn(work: Work, arguments: dict, rng: np.random.Generator) -> list[tuple[Work, Any, dict]]:
    """Candidates of a search space, with what they are given."""
    space = tiles_that_fit(work, T4)
    chosen = [space[index] for index in rng.permutation(len(space))[:CANDIDATES]]
    return [(work, tile, arguments) for tile in chosen]


def test_activations_and_weights_are_halves_and_edges_are_not(half: Scheduled) -> None:
    first, last = half.calls[0], half.calls[-1]
    types = [signature(call.work) for call in half.calls]
    assert {one.dtype for own in types for one in own.constants.values()} == {HALF}
    assert types[0].inputs["data"].dtype == types[-1].outputs["out"].dtype == "float32"
    within = [one for own in types[1:-1] for one in (*own.inputs.values(), *own.outputs.values())]
    assert {one.dtype for one in within} == {HALF}
    assert (first.reads["data"], last.writes["out"]) == (half.network.source, half.network.result)


@pytest.mark.parametrize("chain", [POINTWISE, DEPTHWISE], ids=["pointwise", "depthwise"])
@pytest.mark.parametrize("gpu", GPUS.values(), ids=GPUS)
def test_warps_ask_for_neighbouring_halves_by_eights(chain: Chain, gpu) -> None:
    found = accesses(program(chain, hand_tile(chain, gpu)))
    assert {one.tensor for one in found} >= {"data", "out"}
    assert all(one.coalesced and one.widest == 16 for one in found), found


def test_no_kernel_spills(code: DeviceCode) -> None:
    assert {one.architecture for one in code.resources} == set(TWO)
    assert [one for one in code.resources if one.spilled_bytes] == []


@pytest.mark.long
def test_no_kernel_spills_on_any_gpu(half: Scheduled) -> None:
    architectures = tuple(gpu.architecture for gpu in GPUS.values())
    code = compiler_named("nvrtc").compile(half.source, architectures)
    assert {one.architecture for one in code.resources} == set(architectures)
    assert [one for one in code.resources if one.spilled_bytes] == []


def test_a_bundle_tells_its_arithmetic(
    half: Scheduled, code: DeviceCode, batch: Model, tmp_path: Path
) -> None:
    target = gpu_target("t4,h100", HALF)
    bundle = export_gpu(BuiltGpu(half, code), batch, target, tmp_path / "bundle")
    manifest = bundle.manifest
    assert (manifest.target.dtype, manifest.records) == (HALF, "sm75-t4-float16")
    assert (manifest.input.dtype, manifest.output.dtype) == ("float32", "float32")
    assert manifest.target.gpu is not None
    assert manifest.target.gpu.architectures == TWO


def test_an_arithmetic_that_is_unknown() -> None:
    with pytest.raises(RequestError, match="unknown arithmetic 'float8'; known: float32, float16"):
        gpu_target("h100", "float8")
