"""The command line in this process, and one small bundle that it made."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.__main__ import main

MODEL = "shufflenet-0.25x-g1"
SIZE = "64x64"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command line with these words."""

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["shufflenet-tvm", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        return Outcome(stop.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def refused(command):
    """Runs a command that has to be refused in one line with all of these words."""

    def run(*words: object, saying: tuple[str, ...]) -> None:
        outcome = command(*words)
        lines = outcome.err.strip().splitlines()
        assert (outcome.status, len(lines), outcome.out) == (2, 1, ""), outcome
        assert lines[0].startswith("error: ")
        assert all(word in lines[0] for word in saying), lines[0]

    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A bundle, not to be changed, beside the folder of the modules after each phase."""
    folder: Path = tmp_path_factory.mktemp("made")
    words = ["--input-size", SIZE, "--out", folder / "bundle", "--dump-ir", folder / "ir"]
    words += ["--logs", folder / "no-logs"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["shufflenet-tvm", "compile", MODEL, *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
    assert stop.value.code == 0
    return folder / "bundle"


@pytest.fixture
def bundle(made, tmp_path):
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))
