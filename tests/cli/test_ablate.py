"""Programs without a step compute the same, and what they lack is really gone."""

import pytest

from pipeline.ablation.networks import epilogue_apart, normalisation_apart, shuffle_apart
from pipeline.ablation.records import read_ablations
from pipeline.ablation.steps import STEPS, Whole, whole_program
from pipeline.build import laid_out, read_network
from pipeline.models import InputSpec, load
from pipeline.page.evidence import read_evidence
from pipeline.records import Records
from pipeline.targets import target_named
from schedules.cpu.channelwise import Channelwise
from tests.cli.conftest import SIZE

# Groups, a shuffle, shortcuts, concatenations; channels that are no whole vectors.
MODEL = "shufflenet-0.5x-g3"


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
    assert len(shuffled) == 16
    assert {work.shuffle for work in shuffled} == {3}


def test_packing_and_layout_are_calls_of_their_own(whole):
    made = {step.name: step for step in STEPS}
    usual = whole_program(whole).executable.as_text()
    for name, call in (("pack", "pack_"), ("layout", "to_planes")):
        text = made[name].built(whole).executable.as_text()
        calls = [line for line in text.splitlines() if "call" in line.split()[:1] and call in line]
        # Each of the convolutions' weights, or at least what each kernel writes but the last two.
        assert len(calls) >= len(whole.lowered.calls) - 2
        assert call not in usual


def test_each_step_is_measured_and_computes_what_pytorch_does(command, tmp_path):
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
    assert one.times_slower(by_name["schedules"]) > 2
    assert "shuffle removed" in outcome.out
    assert read_evidence([path]).ablations == (one,)


def test_an_unknown_step_is_answered_with_the_known_ones(refused):
    refused("ablate", MODEL, "--steps", "unroll", saying=("unknown step", "fold, epilogue"))
