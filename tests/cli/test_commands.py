"""The commands that look at things, the benchmark, and how a command ends."""

import json
import os
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import typer

import pipeline
from pipeline import doctor
from pipeline.__main__ import status_of
from pipeline.errors import RequestError, WorkFailedError
from pipeline.models import names
from pipeline.pairs import time_ratio
from pipeline.result_files import read_results
from pipeline.runner import QUICK
from tests.cli.conftest import SIZE

ROOT = Path(pipeline.__file__).parent.parent
COMMANDS = ["models", "targets", "doctor", "tune", "compile", "bench", "verify"]
COMMANDS += ["profile", "ablate", "compare", "report", "accuracy"]
# A second is promised; a shared machine may take twice that.
HELP_SECONDS = 2.0


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_is_quick_and_has_an_example(words):
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert time.monotonic() - start < HELP_SECONDS
    assert f"  shufflenet-tvm {words[0] if words else 'bench'}" in done.stdout


def test_no_words_are_a_question_for_help(command):
    outcome = command()
    assert outcome.status == 0
    assert all(name in outcome.out for name in COMMANDS)


def test_models_as_json_are_all_models(command):
    outcome = command("models", "--json")
    assert [row["model"] for row in json.loads(outcome.out)] == names()


def test_models_and_targets_as_tables(command):
    assert "mobilenet-0.25" in command("models").out
    assert "host" in command("targets").out


def test_targets_as_json(command):
    row, *_ = json.loads(command("targets", "--json").out)
    assert row["target"] == "host"


def test_a_machine_that_runs_these_tests_is_well(command):
    outcome = command("doctor")
    assert outcome.status == 0, outcome.out
    assert "problem" not in outcome.out


def test_doctor_says_what_to_do_without_a_linker(command, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    outcome = command("doctor")
    assert outcome.status == 1
    assert "apt-get install gcc" in outcome.out


def test_doctor_asks_for_the_versions_of_the_project_file():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(line.split("==") for line in project["dependencies"] if "==" in line)
    assert pins == doctor.PINS


def test_doctor_refuses_other_versions_of_the_pair(monkeypatch):
    monkeypatch.setattr("pipeline.doctor.metadata.version", lambda _: "0.1.15")
    findings = {finding.name: finding for finding in doctor.examine(Path("no/such/logs"))}
    assert findings["apache-tvm-ffi"].state == "problem"
    assert "0.1.14.post1" in findings["apache-tvm-ffi"].remedy


def test_a_bundle_is_measured_as_it_is(command, made, tmp_path):
    path = tmp_path / "r.json"
    words = ["--peers", "none", "--seconds", "0.5", "--json", path]
    outcome = command("bench", made, *words)
    assert outcome.status == 0, outcome.err
    manifest = json.loads((made / "manifest.json").read_text())
    result, *others = read_results(path).results
    assert not others
    assert result.library_bytes == manifest["library_bytes"]
    assert result.peak_activation_bytes == manifest["peak_activation_bytes"]
    assert result.schedule_sources.hand > 0
    assert result.max_relative_error < 1e-4
    assert "0 default" in outcome.err
    assert "of peak" in outcome.out


def test_a_file_says_what_a_long_command_would(command, made, tmp_path):
    path, results = tmp_path / "bench.toml", tmp_path / "r.json"
    path.write_text(f'models = ["{made}"]\nthreads = [1]\npeers = "torch"\nseconds = 99\n')
    words = ["--config", path, "--peers", "none", "--seconds", "0.3", "--json", results]
    outcome = command("bench", *words)
    assert outcome.status == 0, outcome.err
    (result,) = read_results(results).results
    assert (result.model, result.threads) == ("shufflenet-0.25x-g1", 1)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("be", ["bench"]),
        ("bench mobilenet-0.", ["mobilenet-0.25", "mobilenet-0.5", "mobilenet-0.75"]),
        ("bench --suite pa", ["paper"]),
    ],
)
def test_a_shell_completes_commands_models_and_suites(command, monkeypatch, words, offered):
    monkeypatch.setenv("_SHUFFLENET_TVM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"shufflenet-tvm {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    outcome = command("--help")
    assert outcome.status == 0
    assert outcome.out.split() == offered


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestError("no"), 2),
        (WorkFailedError("no"), 1),
        (OSError("no"), 1),
        (typer.BadParameter("no"), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_errors_end_in_a_line_and_a_status(error, status, capsys):
    def fail():
        raise error

    assert status_of(fail) == status
    assert capsys.readouterr().err.count("\n") == 1


def test_names_of_the_package_are_the_functions(tmp_path):
    script = "import pipeline.build; from pipeline import build; build.__code__"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, env=os.environ)


def test_importing_the_package_imports_nothing_heavy():
    script = (
        "import sys, pipeline, pipeline.__main__; "
        "assert not {'tvm', 'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_networks_that_are_compared_are_measured_in_turns_too(command, made, tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    # How long it takes until a median is known well the machine's noise decides: not half a minute.
    monkeypatch.setattr("pipeline.bench.QUICK", replace(QUICK, limit_seconds=8))
    words = ["--input-size", SIZE, "--peers", "none", "--quick", "--threads", "2", "--json", path]
    outcome = command("bench", made, "mobilenet-0.25", *words)
    assert outcome.status == 0, outcome.err
    here, rival = read_results(path).results
    assert len(here.handover_ns) == len(here.ceiling_gmacs) >= 5
    assert len(here.turns_ms) == len(rival.turns_ms) >= 5
    assert f"{time_ratio(rival, here):.2f}" in outcome.out
