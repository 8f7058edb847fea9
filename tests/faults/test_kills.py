"""One run whose processes are killed fifty times ends where an undisturbed one ends.

Times are a function of the candidate, so that both can be compared to the last bit; kernels are
built, run on a device behind an RPC tracker and checked as always.
"""

import os
import random
import time
from pathlib import Path

from pipeline.records import read_records
from pipeline.tune.conditions import conditions
from pipeline.tune.history import History, read_history
from pipeline.tune.journal import Journal
from tests.tuning.network import small_target
from tests.tuning.processes import RpcDevice, child_of, finish, rpc_device, start

KILLS = int(os.environ.get("KILLS", "50"))
TRIALS = 24
SEED = 11
ROLES = ("tuner", "builder", "runner", "server")
# Seconds between kills: some fall into starting up, most into building and measuring.
SHORTEST, LONGEST = 0.5, 8.0


def test_a_run_with_many_deaths_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    moments = random.Random(SEED)
    with rpc_device() as device:
        status, _, err = finish(begin(tmp_path / "whole", device), 600)
        assert status == 0, err
        whole, expected = read(tmp_path / "whole", device.address)
        logs, starts, kept = tmp_path / "killed", 0, 0
        tuner = begin(logs, device)
        for number in range(KILLS):
            # The moment of the kill is what is tested: any, drawn from a seed.
            time.sleep(moments.uniform(SHORTEST, LONGEST))
            if tuner.poll() is not None:
                status, _, err = finish(tuner)
                assert status == 0, err
                # What is finished is begun anew elsewhere, so that every kill hits a running one.
                assert_same(read(logs, device.address), (whole, expected))
                starts, kept = starts + 1, 0
                logs = tmp_path / f"killed{starts}"
                tuner = begin(logs, device)
                continue
            role = ROLES[number % len(ROLES)]
            print(f"kill {number}: {role}")
            if role == "tuner":
                tuner.kill()
                finish(tuner)
                tuner = begin(logs, device)
            elif role == "server":
                device.kill(device.server)
                device.start_server()
            else:
                child = child_of(tuner, role)
                if child is not None:
                    child.kill()
            known = measured(logs, device.address)
            assert known >= kept
            kept = known
        status, _, err = finish(tuner, 900)
        assert status == 0, err
        assert_same(read(logs, device.address), (whole, expected))


def begin(logs: Path, device: RpcDevice):  # type: ignore[no-untyped-def]
    """A tuner of the larger network."""
    os.environ["LARGE_NETWORK"] = "1"
    return start(logs, TRIALS, device.address)


def measured(logs: Path, device: str) -> int:
    """How many candidates have results."""
    begun = any(logs.glob("*.sqlite"))
    return len(read(logs, device)[0].trials) if begun else 0


def read(logs: Path, device: str) -> tuple[History, dict[str, tuple[object, ...]]]:
    """What the journal holds, and the records without their conditions."""
    target = small_target()
    about = conditions(target, device)
    with Journal(logs, target.family, about, writing=False) as journal:
        history = read_history(journal)
    records = read_records(logs, target.family).by_key
    return history, {key: (one.tile, one.seconds) for key, one in records.items()}


def assert_same(
    found: tuple[History, dict[str, tuple[object, ...]]],
    expected: tuple[History, dict[str, tuple[object, ...]]],
) -> None:
    """No candidate lost, none twice, the same results and the same records."""
    trials = found[0].trials
    assert len({(one.candidate.task, one.key) for one in trials}) == len(trials)
    assert plain(found[0]) == plain(expected[0])
    assert found[1] == expected[1]


def plain(history: History) -> list[tuple[object, ...]]:
    """Candidates in the order proposed."""
    return [
        (one.candidate.task, one.candidate.round, one.tile, one.seconds, one.failure)
        for one in sorted(history.trials, key=lambda one: one.candidate.number)
    ]
