"""Code for x86-64 CPUs by level: what it uses, what it says that it needs, and who refuses it."""

import platform
import re
from pathlib import Path

import pytest
import tvm
from tvm.target import codegen

from pipeline import linker, processor
from pipeline.bench import check_recipe
from pipeline.bundle import read_bundle, verify
from pipeline.compile import Recipe, compile_bundle
from pipeline.compiling import compile_function, export_function
from pipeline.errors import RequestError
from pipeline.linker import linker_for
from pipeline.models import InputSpec
from pipeline.processor import architecture, lacking
from pipeline.targets import target_named
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.pointwise import Pointwise, Tile
from schedules.frame import Frame
from tests.schedules.layers import alone
from tests.schedules.running import arguments_of, assert_same, called, run

LEVELS = ["x86-64-v3", "x86-64-v4"]
SMALL = InputSpec(64, 64)
# A CPU of 2013: level 3.
HASWELL = frozenset(
    {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "popcnt", "sse4_2"}
)


def recipe(level: str, folder: Path) -> Recipe:
    return Recipe("shufflenet-0.25x-g1", level, folder / "no-logs", SMALL)


def layer(lanes: int) -> Kernel:
    return alone(Pointwise(Frame(1, 4, 6, 32), Frame(1, 4, 6, 32), 1, 32, 32, lanes))


def pointwise(lanes: int) -> tvm.tirx.PrimFunc:
    return scheduled(layer(lanes), [Tile(4, 6, 2)], "strips")


@pytest.mark.parametrize(("level", "widest"), [("x86-64-v3", "ymm"), ("x86-64-v4", "zmm")])
def test_code_has_the_vectors_of_its_level(level: str, widest: str) -> None:
    target = target_named(level)
    code = compile_function(pointwise(target.machine.lanes), target).mod.inspect_source("asm")
    assert max(re.findall(r"%([xyz]mm)\d", code)) == widest


@pytest.mark.parametrize("level", LEVELS)
def test_a_cpu_of_that_level_computes_what_pytorch_computes(level: str, tmp_path: Path) -> None:
    target = target_named(level)
    missing = lacking(target.architecture, target.features)
    if missing:
        # Code that asks for more than the CPU has ends the process; any level 3 machine runs one.
        pytest.skip(f"this CPU lacks {', '.join(missing)}")
    bundle = compile_bundle(recipe(level, tmp_path), tmp_path / "bundle").bundle
    assert bundle.manifest.target.name == level
    assert verify(bundle).torch.max_relative_error < 1e-4


def test_what_this_cpu_lacks_is_compiled_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if architecture() != "x86_64":
        # What is tested is an x86-64 machine with less than the bundle needs.
        pytest.skip("of another architecture this machine lacks everything")
    monkeypatch.setattr(processor, "features", lambda: HASWELL)
    wanted = recipe("x86-64-v4", tmp_path)
    bundle = compile_bundle(wanted, tmp_path / "bundle").bundle
    assert bundle.manifest.max_relative_error is None
    # Whatever the machine has that compiles, the bundle says what its level has.
    assert {"abm", "bmi1", "avx512bw", "avx512f"} <= set(bundle.manifest.target.features)
    with pytest.raises(RequestError, match=r"needs avx512bw, .* which this CPU lacks"):
        verify(read_bundle(tmp_path / "bundle"))
    with pytest.raises(RequestError, match=r"x86-64-v4 needs avx512bw, .* --target host"):
        check_recipe(wanted)
    check_recipe(recipe("x86-64-v3", tmp_path))


def test_another_kind_of_machine_links_it_with_zig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On x86-64 the library that zig made is run as well."""
    here = architecture()
    elsewhere = "aarch64" if here == "x86_64" else here
    monkeypatch.setattr(linker, "architecture", lambda: elsewhere)
    target = target_named("x86-64-v3")
    assert "x86_64-linux-gnu.2.28" in linker_for(target).command
    assert not linker.runs_here(target)
    export_function(pointwise(target.machine.lanes), target, tmp_path / "one.so")
    if lacking(target.architecture, target.features):
        # It was linked, which is what every machine can check; only some can load it too.
        pytest.skip("this CPU cannot run it")
    kernel = layer(target.machine.lanes)
    library = tvm.runtime.load_module(str(tmp_path / "one.so"))
    arguments = arguments_of(kernel)
    assert_same(called(library["main"], kernel, arguments), run(program(kernel), kernel, arguments))


def test_levels_are_of_linux() -> None:
    with pytest.raises(RequestError, match="x86-64-v3 runs Linux, not android"):
        target_named("x86-64-v3", "android")


@pytest.mark.parametrize("name", ["skylake-avx512", "icelake-server", "znver4"])
def test_code_for_this_machine_is_timed_well_and_uses_what_it_has(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other names than Intel's before Sapphire Rapids stay as they are."""
    level = frozenset(target_named("x86-64-v4").features)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(codegen, "llvm_get_system_cpu", lambda: name)
    monkeypatch.setattr(processor, "features", lambda: level | HASWELL)
    made = target_named("host")
    assert made.cpu == ("znver4" if name == "znver4" else "sapphirerapids")
    assert {"-avx512bf16", "-avx512vnni"} <= set(made.attributes)
    assert not {f"-{feature}" for feature in level} & set(made.attributes)
