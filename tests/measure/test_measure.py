"""Turns between engines, with fakes; then real engines on a small network."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from pipeline.check import compare, require_agreement
from pipeline.engines.process import Deadlines, EngineProcess
from pipeline.engines.registry import OURS, TORCH, EngineKind, Reads
from pipeline.measure import Participant, measure
from pipeline.models import InputSpec, load
from pipeline.runner import FEWEST_ROUNDS, Plan

QUICK = Plan(seconds=0.2, warm_up_seconds=0.2, round_seconds=0.02, fewest_samples=30)


def fake(name, **source):
    kind = EngineKind(name, "tests.measure.fake_engine", Reads.MODEL)
    return Participant(kind, source, deadlines=Deadlines(infer=1.0))


def test_faster_and_slower_engines_are_told_apart(data):
    measured, failures = measure(
        [fake("slow", seconds=0.004), fake("fast", seconds=0.001)], [data], 1, QUICK
    )
    slow, fast = measured
    assert not failures
    assert (slow.engine, fast.engine) == ("slow", "fast")
    assert np.median(slow.samples) > 2 * np.median(fast.samples)
    assert len(slow.rounds) == len(fast.rounds) >= FEWEST_ROUNDS
    assert min(len(slow.samples), len(fast.samples)) >= QUICK.fewest_samples


def test_several_processes_share_the_rounds(data, tmp_path):
    plan = replace(QUICK, seconds=0.6, processes=3)
    measured, failures = measure(
        [fake("one", tally=str(tmp_path / "one")), fake("two")], [data], 1, plan
    )
    one, two = measured
    assert not failures
    assert len(one.rounds) == len(two.rounds) >= 3 * FEWEST_ROUNDS
    assert (tmp_path / "one").read_text() == "x" * 3
    np.testing.assert_array_equal(one.outputs, [2 * data] * 3)


def test_an_engine_that_fails_in_a_later_process_is_left_out(data, tmp_path):
    plan = replace(QUICK, processes=3)
    ill = fake("ill", tally=str(tmp_path / "ill"), loads=1)
    measured, failures = measure([ill, fake("well")], [data], 1, plan)
    assert [one.engine for one in measured] == ["well"]
    assert [one.engine for one in failures] == ["ill"]
    assert len(measured[0].rounds) >= 3 * FEWEST_ROUNDS


def test_outputs_come_in_the_order_of_the_images(data):
    measured, _ = measure([fake("one", factor=3)], [data, data + 1], 1, QUICK)
    np.testing.assert_array_equal(measured[0].outputs, [3 * data, 3 * (data + 1)])


def test_an_engine_that_fails_leaves_the_others_alone(data):
    contestants = [fake("deaf", refuse=True), fake("well"), fake("dead", die=True)]
    measured, failures = measure(contestants, [data], 1, QUICK)
    assert [m.engine for m in measured] == ["well"]
    assert [f.engine for f in failures] == ["deaf", "dead"]
    assert "SIGSEGV" in failures[1].reason


def test_more_cores_than_threads_is_a_failure(data, monkeypatch):
    monkeypatch.setattr("pipeline.runner.CORES_SLACK", 0.0)
    measured, failures = measure([fake("greedy")], [data], 1, QUICK)
    assert not measured
    assert "does not honour the number of threads" in failures[0].reason


@pytest.mark.parametrize("threads", [1, 2])
def test_a_bundle_computes_what_torch_computes_on_its_threads(threads, bundle, images, expected):
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip("one core: nothing to run a second thread on")
    with EngineProcess(OURS, threads) as engine:
        engine.load({"bundle": str(bundle)}, images[0])
        require_agreement(compare([engine.output(image) for image in images], expected), "ours")
        pools = os.listdir(f"/proc/{engine.pid}/task")
        taken = engine.run(30, settle=3)
    assert taken.cpu / taken.wall <= 1.2 * threads
    assert len(pools) >= threads


@pytest.mark.parametrize("worker", ["ours_worker", "peak_worker"])
def test_our_engine_loads_neither_torch_nor_the_compiler(worker):
    script = (
        f"import sys, pipeline.engines.{worker}\n"
        "assert 'tvm' not in sys.modules and not sys.modules['torch']"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_torch_engine_agrees_with_the_model_here():
    spec = InputSpec(64, 64)
    model = load("shufflenet-0.25x-g1", spec, seed=3)
    source = {
        "model": model.name,
        "spec": {"height": 64, "width": 64},
        "weights": None,
        "seed": 3,
    }
    with EngineProcess(TORCH, 1) as engine:
        settings = engine.load(source, model.example.numpy())
        output = engine.output(model.example.numpy())
        engine.run(3)
    assert settings["memory_format"] in ("channels_first", "channels_last")
    require_agreement(compare([output], [model.module(model.example).numpy()]), "torch")
