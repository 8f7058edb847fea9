"""bench over real RPC: on an emulated device no times, on a server of this machine its own."""

import json
import sys

import pytest

from pipeline.__main__ import main

MODEL = "shufflenet-0.25x-g1"
WORDS = [MODEL, "--input-size", "64x64", "--seconds", "0.2"]


def bench(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["shufflenet-tvm", "bench", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code or 0


def test_an_emulated_device_is_compared_and_not_timed(address, tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.json"
    half = ["--target", "cortex-a76", "--dtype", "float16"]
    assert bench(monkeypatch, *WORDS, *half, "--device", address, "--json", path) == 0
    shown = capsys.readouterr().out
    assert "emulated" in shown
    assert " ms" not in shown
    file = json.loads(path.read_text())
    assert file["results"] == []
    (found,) = file["emulated"]
    assert (found["dtype"], found["device"]) == ("float16", str(address))
    assert found["max_relative_error"] <= 2e-2
    assert found["top1_agreement"] == 1


def test_a_device_is_timed_by_its_own_clock(own_server, tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    assert bench(monkeypatch, *WORDS, "--device", own_server, "--json", path) == 0
    (result,) = json.loads(path.read_text())["results"]
    assert result["device"] == own_server
    assert 0 < result["fraction_of_peak"] < 1
    assert result["max_relative_error"] <= 1e-4
    assert result["before"]["cpu"]
    # A call over the network takes longer than this network of a million multiply-adds.
    assert result["latency_ms"]["min"] < 5


def test_requests_that_no_device_serves(monkeypatch, capsys):
    device = ["--device", "rpc://127.0.0.1:1/phone"]
    for words, saying in (
        (["--target", "cortex-a53", "--dtype", "float16", *device], "no float16 arithmetic"),
        (["--target", "cortex-a76", "--peers", "torch", *device], "--peers none"),
        (["--target", "cortex-a76", "--cores", "0xf0", *device], "rpc server --cores 0xf0"),
        (["--target", "cortex-a76", *device], "nothing listens"),
        (["--dtype", "float16"], "no float16 arithmetic"),
    ):
        assert bench(monkeypatch, *WORDS, *words) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert saying in lines[-1], lines
