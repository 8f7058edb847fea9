"""The peers' environment, without the network."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engines.process import python_command
from pipeline.engines.registry import PEERS, EngineKind, Reads, peers_named
from pipeline.errors import RequestError
from pipeline.peers import PeerError, peer_python, peers_folder

NOWHERE = EngineKind("nowhere", "none", Reads.ONNX, ("no-such-peer==1.0",))


def test_an_unknown_peer_is_answered_with_the_known_ones():
    with pytest.raises(RequestError, match=r"unknown peer 'tflite'; known: torch, .*openvino"):
        peers_named(["torch", "tflite"])


def test_peers_keep_their_order_and_come_once():
    names = ["openvino", "torch", "openvino"]
    assert [kind.name for kind in peers_named(names)] == ["openvino", "torch"]


def test_every_worker_of_the_registry_is_a_file():
    root = Path(__file__).parents[2]
    for kind in PEERS.values():
        assert (root / f"{kind.worker.replace('.', '/')}.py").is_file()


def test_engines_without_packages_run_in_our_environment(tmp_path):
    assert peer_python(PEERS["torch"], tmp_path / "peers") == Path(sys.executable)
    assert not (tmp_path / "peers").exists()


def test_a_peer_that_cannot_be_installed_says_why(tmp_path, monkeypatch):
    def refuse(command, **_):
        raise subprocess.CalledProcessError(1, command, "", "WARNING: x\nERROR: No such version\n")

    monkeypatch.setattr("subprocess.run", refuse)
    with pytest.raises(PeerError, match=r"^not installed: ERROR: No such version$"):
        peer_python(NOWHERE, tmp_path)


def test_an_installed_peer_is_not_installed_again(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("subprocess.run", lambda command, **_: calls.append(command))
    first, second = peer_python(NOWHERE, tmp_path), peer_python(NOWHERE, tmp_path)
    assert first == second == tmp_path / "bin" / "python"
    assert [command[2] for command in calls] == ["venv", "pip"]


def test_bare_packages_come_without_what_they_ask_for(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("subprocess.run", lambda command, **_: calls.append(command))
    peer_python(PEERS["ncnn"], tmp_path)
    installs = [command for command in calls if "install" in command]
    assert [command[-1].partition("==")[0] for command in installs] == ["ncnn", "pnnx"]
    assert ["--no-deps" in command for command in installs] == [False, True]


def test_the_cache_folder_follows_the_variables():
    assert peers_folder({"XDG_CACHE_HOME": "/c", "HOME": "/h"}).is_relative_to("/c/shufflenet-tvm")
    assert peers_folder({"HOME": "/h"}).is_relative_to("/h/.cache/shufflenet-tvm")


def test_our_libraries_come_behind_those_of_the_other_python():
    command = python_command(Path(sys.executable), "module", "argument")
    assert command[:3] == [sys.executable, "-P", "-c"]
    assert command[-3] == "module"
    assert command[-1] == "argument"
