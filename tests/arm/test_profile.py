"""profile over real RPC: on an emulated device no times, on a server of this machine its own."""

import json
import sys

import pytest

from pipeline.__main__ import main
from pipeline.profiling.records import read_profiles

MODEL = "shufflenet-0.25x-g1"


def profile(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["shufflenet-tvm", "profile", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code or 0


def test_an_emulated_device_runs_every_kernel_and_is_not_timed(
    address, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "p.json"
    half = ["--target", "cortex-a76", "--dtype", "float16", "--input-size", "64x64"]
    assert profile(monkeypatch, MODEL, *half, "--device", address, "--json", path) == 0
    shown = capsys.readouterr().out
    assert "emulated, so not timed" in shown
    assert " ms" not in shown
    file = json.loads(path.read_text())
    assert file["profiles"] == []
    (found,) = file["emulated"]
    assert (found["model"], found["device"]) == (MODEL, str(address))
    assert found["calls"] > 15


def test_kernels_on_a_device_add_up_by_its_own_clock(own_server, tmp_path, monkeypatch):
    path = tmp_path / "p.json"
    words = [MODEL, "--input-size", "224x224", "--seconds", "1"]
    assert profile(monkeypatch, *words, "--device", own_server, "--json", path) == 0
    (found,) = read_profiles(path).profiles
    assert found.device == own_server
    assert all(call.ms > 0 and call.paths for call in found.calls)
    assert found.peak_gmacs > 0
    # Of some 200 us in 20 kernels the calls themselves are a part; the device runs other tests too.
    assert abs(found.gap) < 0.5
