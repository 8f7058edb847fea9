"""Requests that cannot be served: one line, status 2, nothing written."""

import pickle
import platform
from pathlib import Path

import pytest
import torch

from pipeline.models import InputSpec, load
from pipeline.records import Records, write_records
from pipeline.targets import host
from tests.cli.conftest import MODEL, SIZE

BAD_COMPILES = {
    "model": ([MODEL + "0"], ("unknown model", MODEL)),
    "size of one number": ([MODEL, "--input-size", "12"], ("'12'", "224x224")),
    "size zero": ([MODEL, "--input-size", "0x5"], ("0x5", "64 to 4096")),
    "size of other digits": ([MODEL, "--input-size", "\u0661x\u0662"], ("224x224",)),
    "batch": ([MODEL, "--batch", "0"], ("batch 0", "1 to 128")),
    "batch no number": ([MODEL, "--batch", "x"], ("--batch",)),
    "classes": ([MODEL, "--classes", "0"], ("0 classes",)),
    "target": ([MODEL, "--target", "cortex-a54"], ("unknown target", "cortex-a57")),
    "option": ([MODEL, "--fast"], ("--fast",)),
    "weights": ([MODEL, "--weights", "no/such.pth"], ("no weights", "no/such.pth")),
}
BAD_BENCHES = {
    "threads": (["--threads", "99"], ("99 threads", "cores")),
    "no threads": (["--threads", "0"], ("0 threads",)),
    "threads no number": (["--threads", "1,,2"], ("1,2",)),
    "peer": (["--peers", "tensorflow"], ("unknown peer", "onnxruntime")),
    "seconds": (["--seconds", "0"], ("0.0 seconds",)),
    "other architecture": (["--target", "armv7a"], ("armv7a", "--target host")),
    "device": (["--device", "rpc://phone"], ("unknown device", "rpc://HOST:PORT/KEY")),
    "folder of results": (["--json", "no/such/r.json"], ("no folder",)),
}
BAD_SUITES = {
    "nothing": ([], ("--suite",)),
    "both": ([MODEL, "--suite", "paper"], ("leave out the models",)),
    "unknown": (["--suite", "papers"], ("'papers'", "paper, shuffle")),
    "trials of a peer": ([MODEL, "--peer-trials", "0"], ("0 trials",)),
    "no file of options": (["--config", "no/such.toml"], ("no/such.toml",)),
}
BAD_FILES = {
    "option": ("thread = 1", ("no option 'thread'", "threads")),
    "no TOML": ("threads = ", ("cannot read options",)),
    "table": ("[threads]", ("threads is a table",)),
    "flag": ("quick = 3", ("true or false",)),
}
BAD_TUNES = {
    "trials": (["--trials", "0"], ("0 trials",)),
    "time": (["--time", "soon"], ("'soon'", "20m")),
    "several bundles": (["mobilenet-1.0", "--out", "b"], ("--out",)),
}


@pytest.fixture(autouse=True)
def nothing_written(tmp_path, monkeypatch):
    """Every test runs in a folder that has to stay as the test itself left it."""
    place = tmp_path / "empty"
    place.mkdir()
    monkeypatch.chdir(place)
    yield
    assert not list(place.iterdir())


@pytest.mark.parametrize(("words", "saying"), BAD_COMPILES.values(), ids=BAD_COMPILES)
def test_a_bad_compile(refused, words, saying):
    refused("compile", *words, "--out", "bundle", saying=saying)


@pytest.mark.parametrize(("words", "saying"), BAD_SUITES.values(), ids=BAD_SUITES)
def test_a_bad_suite(refused, words, saying):
    refused("bench", *words, saying=saying)


@pytest.mark.parametrize(("text", "saying"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_of_options(refused, tmp_path, text, saying):
    path = tmp_path / "bench.toml"
    path.write_text(text)
    refused("bench", MODEL, "--config", path, saying=saying)


@pytest.mark.parametrize(("words", "saying"), BAD_BENCHES.values(), ids=BAD_BENCHES)
def test_a_bad_bench(refused, words, saying):
    refused("bench", MODEL, *words, saying=saying)


@pytest.mark.parametrize(("words", "saying"), BAD_TUNES.values(), ids=BAD_TUNES)
def test_a_bad_tune(refused, words, saying):
    refused("tune", MODEL, *words, "--logs", "logs", saying=saying)


def test_an_unknown_model_is_found_before_the_others_are_compiled(refused):
    refused("bench", MODEL, "mobilenet-9", saying=("unknown model 'mobilenet-9'",))


def test_an_unknown_command(refused):
    refused("paint", saying=("paint",))


def test_weights_of_another_network(refused, tmp_path):
    path = tmp_path / "other.pth"
    torch.save(load(MODEL, InputSpec(64, 64, classes=7)).module.state_dict(), path)
    words = ["--weights", path, "--input-size", SIZE, "--out", "bundle"]
    refused("compile", MODEL, *words, saying=("output.weight", "[7,"))


class Payload:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("ran"),)


def test_code_in_a_weights_file_is_not_run(refused, tmp_path):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Payload()))
    refused("compile", MODEL, "--weights", path, "--out", "bundle", saying=("was not run",))


def test_an_output_folder_that_is_a_file(refused, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    refused("compile", MODEL, "--out", path, saying=("is a file",))
    assert path.read_text() == "mine"


def test_an_output_folder_with_other_things(refused, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused("compile", MODEL, "--out", tmp_path, saying=("something else than a bundle",))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_output_folder_in_no_folder(refused):
    refused("compile", MODEL, "--out", "no/such/bundle", saying=("no folder",))


def test_no_linker(refused, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    refused("compile", MODEL, "--out", "bundle", saying=("no C linker", "install"))


@pytest.fixture
def logs(tmp_path):
    """A folder with records of the host, and the file."""
    folder = tmp_path / "logs"
    return folder, write_records(folder, Records(host().family, {}))


def test_a_torn_record(refused, logs):
    folder, path = logs
    path.write_text(path.read_text() + '{"workload": {"oper')
    words = ["--logs", folder, "--out", "bundle"]
    refused("compile", MODEL, *words, saying=("line 2", "torn"))


def test_records_of_another_family(refused, logs):
    folder, path = logs
    write_records(folder, Records("aarch64-neon-8fma", {})).rename(path)
    words = ["--logs", folder, "--out", "bundle"]
    refused("compile", MODEL, *words, saying=("aarch64-neon-8fma", "not for"))


def test_logs_that_are_not_there(refused, tmp_path):
    refused("logs", "list", "--logs", tmp_path, saying=("no logs", "tune"))
    refused("logs", "show", "cuda", "--logs", tmp_path, saying=("no journal of 'cuda'",))
    refused("logs", "import", tmp_path / "x.jsonl", "--logs", tmp_path, saying=("no file",))
    refused("logs", "merge", tmp_path / "x.jsonl", "--logs", tmp_path, saying=("no journal",))
    refused("tune", "--status", "--logs", tmp_path, saying=("no run has begun", "tune MODEL"))
    refused("tune", saying=("name a model",))


def test_code_for_another_machine_is_not_tuned_here(refused, tmp_path):
    words = ("tune", "shufflenet-0.25x-g1", "--target", "cortex-a53", "--logs", tmp_path)
    if platform.machine() == "x86_64":
        refused(*words, saying=("does not run here", "--device"))


def test_strict_refuses_kernels_that_are_not_tuned(refused, tmp_path):
    words = ("compile", "shufflenet-0.25x-g1", "--input-size", "64x64", "--out", tmp_path / "b")
    saying = ("not tuned", "hand: kernel", "tune shufflenet-0.25x-g1 --target host")
    refused(*words, "--strict", "--logs", tmp_path, saying=saying)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("words", [("bench", "--peers", "none"), ("profile",)], ids=lambda w: w[0])
def test_networks_on_a_gpu_are_timed_beside_it(refused, words):
    device = ("--target", "h100", "--device", "rpc://127.0.0.1:9190/board")
    refused(*words, MODEL, *device, saying=("without --device",))


@pytest.mark.parametrize("name", ["bench", "profile"])
def test_without_a_gpu_there_is_nothing_to_time(refused, name, monkeypatch):
    monkeypatch.setattr("pipeline.gpu.local.local_gpu", lambda: None)
    saying = ("no GPU in reach", f"{name} needs", "compile and analyze")
    refused(name, MODEL, "--target", "h100", saying=saying)
