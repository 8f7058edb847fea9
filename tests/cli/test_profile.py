"""Profiles of a small network."""

import json
from itertools import pairwise

import pytest

from pipeline.profiling.records import read_profiles
from pipeline.profiling.table import describe, profile_rows
from tests.cli.conftest import MODEL, SIZE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("profile")


def test_every_kernel_is_timed_and_tied_to_modules(command, made, tmp_path):
    path, trace = tmp_path / "p.json", tmp_path / "t.json"
    outcome = command("profile", made, "--seconds", "1", "--json", path, "--trace", trace)
    assert outcome.status == 0, outcome.err
    (profile,) = read_profiles(path).profiles
    manifest = json.loads((made / "manifest.json").read_text())
    assert (profile.model, profile.input_size) == (MODEL, (64, 64))
    kernels = [call for call in profile.calls if call.paths]
    calls = {entry["function"]: entry["calls"] for entry in manifest["kernels"]}
    assert {name: [c.function for c in kernels].count(name) for name in calls} == calls
    assert all(path for call in kernels for path in call.paths)
    assert all(call.ms > 0 for call in profile.calls)
    assert sum(call.macs for call in profile.calls) == manifest["macs"]
    assert all(call.register_bytes * 4 > call.edge_bytes for call in kernels)
    # Of some 50 us in 20 kernels the calls themselves are a good part; both are the same work.
    assert abs(profile.gap) < 0.5
    rows = profile_rows(profile)
    assert len(rows.cells) == len(profile.calls) + 1
    assert all(line in outcome.out for line in describe(profile))
    check_trace(json.loads(trace.read_text()), profile)


def check_trace(trace, profile):
    """Kernels lie end to end, in modules that hold them."""
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    modules = [event for event in events if event["tid"] == 1]
    kernels = [event for event in events if event["tid"] == 2]
    assert [event["name"] for event in kernels] == [call.function for call in profile.calls]
    for before, after in pairwise(kernels):
        assert before["ts"] + before["dur"] == pytest.approx(after["ts"])
    for row in (modules, kernels):
        assert sum(event["dur"] for event in row) == pytest.approx(profile.kernels_ms * 1e3)


def test_a_bundle_of_another_compiler_is_refused(bundle, refused, monkeypatch):
    monkeypatch.setattr("pipeline.profiling.profile.kernel_name", lambda _, number: f"k{number}")
    refused("profile", bundle, saying=("other kernels", "compile it again"))


def test_one_trace_is_of_one_profile(refused, tmp_path):
    words = [MODEL, "mobilenet-0.25", "--input-size", SIZE, "--trace", tmp_path / "t.json"]
    refused("profile", *words, saying=("--trace is of one model",))


def test_what_is_no_profile_is_refused(refused, tmp_path):
    path = tmp_path / "p.json"
    path.write_text("{}")
    refused("report", path, "--out", tmp_path / "r.html", saying=("p.json",))
