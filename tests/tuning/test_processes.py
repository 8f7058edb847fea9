"""A tuner whose processes are killed, interrupted or told that the window has another size.

The short form of tests/faults: once for each.
"""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from pipeline.records import canonical, read_records
from pipeline.tune.history import History
from tests.tuning.conftest import history, journal
from tests.tuning.network import small_target
from tests.tuning.processes import awaited_child, finish, free_port, interrupt, rpc_device, start

TRIALS = 6
# Seconds; what was measured longer ago has to be on the disk.
OLD = 2.0


def told(tuner, lines: int) -> None:  # type: ignore[no-untyped-def]
    """Wait until it has told so much."""
    for _ in range(lines):
        assert tuner.stdout.readline()


def facts(logs: Path) -> tuple[History, dict[str, object]]:
    """What the journal holds, and the records without their conditions."""
    target = small_target()
    records = read_records(logs, target.family).by_key
    return history(logs, target), {key: (one.tile, one.seconds) for key, one in records.items()}


def same(one: History, other: History) -> bool:
    """Whether two journals tell of the same candidates with the same results."""

    def plain(known: History) -> list[object]:
        return [
            (t.candidate.task, t.candidate.round, t.tile, t.seconds, t.failure)
            for t in sorted(known.trials, key=lambda t: t.candidate.number)
        ]

    return plain(one) == plain(other)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs: Path = tmp_path_factory.mktemp("undisturbed")
    status, out, err = finish(start(logs, TRIALS))
    assert (status, out.splitlines()[-1]) == (0, "done"), err
    return logs


def test_a_killed_tuner_goes_on_to_the_same_result(undisturbed: Path, tmp_path: Path) -> None:
    tuner = start(tmp_path, TRIALS)
    told(tuner, 4)
    tuner.kill()
    finish(tuner)
    assert len(facts(tmp_path)[0].trials) >= 4
    status, _out, err = finish(start(tmp_path, TRIALS))
    assert status == 0, err
    assert_equal(undisturbed, tmp_path)


def test_nothing_older_than_two_seconds_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = tmp_path / "measured"
    monkeypatch.setenv("MEASURED", str(measured))
    monkeypatch.setenv("LARGE_NETWORK", "1")
    tuner = start(tmp_path / "logs", 24)
    told(tuner, 1)
    # So long that some results are older than that, whatever the machine is busy with.
    time.sleep(2 * OLD)
    tuner.kill()
    killed = time.time()
    finish(tuner)
    lines = [json.loads(line) for line in measured.read_text().splitlines()]
    old = {
        (canonical(task), canonical(tile)) for moment, task, tile in lines if moment < killed - OLD
    }
    with journal(tmp_path / "logs", small_target()) as opened:
        workloads = {entry.task: canonical(entry.workload) for entry in opened.tasks()}
    trials = history(tmp_path / "logs", small_target()).trials
    kept = {(workloads[trial.candidate.task], trial.key) for trial in trials}
    assert old
    assert old <= kept


def test_killed_children_are_replaced(undisturbed: Path, tmp_path: Path) -> None:
    tuner = start(tmp_path, TRIALS)
    for role in ("builder", "runner"):
        told(tuner, 3)
        awaited_child(tuner, role).kill()
    status, _, err = finish(tuner)
    assert status == 0, err
    assert_equal(undisturbed, tmp_path)


def test_a_resized_window_and_ctrl_c(undisturbed: Path, tmp_path: Path) -> None:
    tuner = start(tmp_path, TRIALS)
    told(tuner, 2)
    for process in (tuner, awaited_child(tuner, "builder"), awaited_child(tuner, "runner")):
        os.kill(process.pid, signal.SIGWINCH)
    told(tuner, 2)
    interrupt(tuner)
    status, _, err = finish(tuner)
    assert (status, err) == (130, "error: interrupted\n")
    known, records = facts(tmp_path)
    assert len(known.trials) >= 4
    assert records
    status, _, err = finish(start(tmp_path, TRIALS))
    assert status == 0, err
    assert_equal(undisturbed, tmp_path)


def assert_equal(undisturbed: Path, disturbed: Path) -> None:
    """The same candidates, each once, with the same results, and the same records."""
    known, records = facts(disturbed)
    assert len({(t.candidate.task, t.key) for t in known.trials}) == len(known.trials)
    expected, expected_records = facts(undisturbed)
    assert same(known, expected)
    assert records == expected_records


def test_a_device_server_and_a_tracker_that_die_and_come_back(
    undisturbed: Path, tmp_path: Path
) -> None:
    with rpc_device() as device:
        tuner = start(tmp_path, TRIALS, device.address)
        told(tuner, 3)
        device.kill(device.tracker)
        device.kill(device.server)
        time.sleep(2)
        device.start_tracker()
        device.start_server()
        status, _, err = finish(tuner)
        assert status == 0, err
    target = small_target()
    family = read_records(tmp_path, target.family).by_key
    assert {key: one.tile for key, one in family.items()} == {
        key: one.tile for key, one in read_records(undisturbed, target.family).by_key.items()
    }


def test_a_silent_peer_is_given_up_with_a_clear_line(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket() as peer:
        peer.bind(("127.0.0.1", port))
        peer.listen()
        held: list[socket.socket] = []
        threading.Thread(target=lambda: _accept(peer, held), daemon=True).start()
        os.environ["SHORT_PATIENCE"] = "1"
        try:
            status, _, err = finish(start(tmp_path, TRIALS, f"rpc://127.0.0.1:{port}/none"))
        finally:
            del os.environ["SHORT_PATIENCE"]
    assert status == 1
    assert err.startswith("error: no device is left (rpc://127.0.0.1")
    assert "run the same command again" in err


def _accept(peer: socket.socket, held: list[socket.socket]) -> None:
    while True:
        try:
            held.append(peer.accept()[0])
        except OSError:
            return
