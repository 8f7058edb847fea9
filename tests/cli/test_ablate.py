"""Programs without a step compute the same, and what they lack is really gone."""

import pytest

from pipeline.ablation.networks import epilogue_apart, normalisation_apart, shuffle_apart
from pipeline.ablation.records import read_ablations
from pipeline.ablation.steps import STEPS, Whole, whole_program
from pipeline.build import built, laid_out, read_network
from pipeline.models import InputSpec, load
from pipeline.page.evidence import read_evidence
from pipeline.records import Records
from pipeline.targets import target_named
from schedules.cpu.channelwise import Channelwise
from tests.cli.conftest import SIZE

# Groups, a shuffle, shortcuts, concatenations; channels that are no whole vectors.
MODEL = "shufflenet-0.5x-g3-shallow"


@pytest.fixture(scope="module")
def whole():
    target = target_named("host")
    network = read_network(load(MODEL, InputSpec(64, 64)))
    return Whole(network, target, Records(target.family, {}))


def passes(whole, change):
    """The passes over a tensor that a changed network has."""
    calls = laid_out(change(whole.network), whole.target).calls
    works = [stage.work for call in calls for stage in call.kernel.stages]
    return [work for work in works if isinstance(work, Channelwise)]


def test_a_step_that_is_left_out_is_a_pass_for_each_of_its_places(whole):
    steps = whole.network.operators
    convolutions = [step for step in steps if step.weight is not None]
    assert passes(whole, lambda network: network) == []
    assert len(passes(whole, normalisation_apart)) == len(convolutions) - 1  # the classifier
    bare = [one for one in convolutions if one.activation != "none" or one.residual]
    assert len(passes(whole, epilogue_apart)) == len(bare)
    shuffled = passes(whole, shuffle_apart)
    assert len(shuffled) == 8
    assert {work.shuffle for work in shuffled} == {3}


def test_the_whole_program_is_the_one_that_is_compiled():
    """Also where the compiler is told less of the tensors, as for ARM."""
    target, records = target_named("armv7a"), Records("", {})
    network = read_network(load("shufflenet-0.25x-g1", InputSpec(64, 64)))
    whole = Whole(network, target, records)
    ours, other = whole_program(whole).built, built(laid_out(network, target), target, records)
    assert code(ours) == code(other)


def code(program):
    """The machine code of a program's kernels."""
    return [module.inspect_source("asm") for module in program.executable.mod.imports]


def handed_on(whole):
    """How many tensors its kernels hand on, of more than a pixel."""
    calls = laid_out(whole.network, whole.target).calls
    frames = [
        call.kernel.frames[name]
        for call in calls
        for name in (*call.kernel.outputs, *call.kernel.updates)
    ]
    return sum(frame.pixels > frame.images for frame in frames)


def test_each_step_is_measured_and_computes_what_pytorch_does(command, tmp_path, whole):
    path = tmp_path / "a.json"
    words = ["--input-size", SIZE, "--seconds", "0.3", "--logs", tmp_path, "--json", path]
    outcome = command("ablate", MODEL, *words)
    assert outcome.status == 0, outcome.err
    (one,) = read_ablations(path).ablations
    assert [row.step for row in one.rows] == [step.name for step in STEPS if not step.tuning]
    assert list(one.absent) == ["tiles tuned"]
    assert max(row.result.max_relative_error for row in one.rows) < 1e-4
    by_name = {row.step: row for row in one.rows}
    assert by_name["regions"].regions > one.regions > by_name["schedules"].regions == 0
    # Packing is a loop for each convolution, and what a kernel writes goes there and back.
    # Three convolutions in each of its eight units.
    assert by_name["pack"].regions > one.regions + 24
    assert handed_on(whole) >= 2 * 8
    assert by_name["layout"].regions == one.regions + 2 * handed_on(whole)
    assert one.times_slower(by_name["schedules"]) > 2
    assert "shuffle removed" in outcome.out
    assert read_evidence([path]).ablations == (one,)


def test_an_unknown_step_is_answered_with_the_known_ones(refused):
    refused("ablate", MODEL, "--steps", "unroll", saying=("unknown step", "fold, epilogue"))
