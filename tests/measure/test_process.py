"""An engine's process: what it says is understood, what it does wrong is said clearly."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.engines.pipe import EngineError
from pipeline.engines.process import Deadlines, EngineProcess
from pipeline.engines.registry import EngineKind, Reads

FAKE = EngineKind("fake", "tests.measure.fake_engine", Reads.MODEL)


def started(threads=1, **deadlines):
    return EngineProcess(FAKE, threads, deadlines=Deadlines(**deadlines))


def state(pid):
    """The letter that the kernel gives for a process: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def ticks(pid):
    """CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_rubbish_on_standard_output_does_not_reach_the_protocol(data):
    with started() as engine:
        assert engine.load({"rubbish": True}, data)["threads"] == "1"
        np.testing.assert_array_equal(engine.output(data + 1), 2 * (data + 1))


def test_an_engine_that_spoils_its_input_is_wrong(data):
    with started() as engine:
        engine.load({"spoil": True}, data)
        np.testing.assert_array_equal(engine.output(data + 1), 4 * (data + 1))


def test_every_inference_gives_one_sample(data):
    with started() as engine:
        engine.load({"seconds": 0.002}, data)
        taken = engine.run(10, settle=3)
    assert len(taken.samples) == 10
    assert min(taken.samples) >= 0.002
    assert sum(taken.samples) == pytest.approx(taken.wall)
    assert 0 < taken.cpu <= taken.wall * 1.2


def test_thread_variables_reach_the_libraries(data):
    with started(threads=3) as engine:
        assert engine.load({}, data) == {"threads": "3", "omp": "3"}


def test_a_refusal_is_one_line_and_the_engine_lives_on(data):
    with started() as engine:
        with pytest.raises(EngineError, match=r"^fake with 1 thread: load failed.*not a model$"):
            engine.load({"refuse": True}, data)
        assert engine.load({}, data)


def test_an_engine_that_hangs_is_ended_at_its_deadline(data):
    with started(infer=0.1) as engine:
        engine.load({"hang": True}, data)
        begin = time.monotonic()
        with pytest.raises(EngineError, match="no answer to run within"):
            engine.run(1)
        assert time.monotonic() - begin < 5
        assert not Path(f"/proc/{engine.pid}").exists()


def test_a_death_is_told_with_its_signal_and_last_words(data):
    with started() as engine:
        engine.load({"die": True}, data)
        with pytest.raises(EngineError, match=r"SIGSEGV \(out of luck\) during run"):
            engine.run(1)


def test_a_stopped_engine_stands_still_until_it_is_resumed(data):
    with started(infer=0.3) as engine:
        engine.load({}, data)
        engine.stop()
        assert state(engine.pid) == "T"
        before = ticks(engine.pid)
        time.sleep(0.1)  # ten clock ticks, in which an engine that is awake would use some
        assert ticks(engine.pid) == before
        engine.resume()
        assert len(engine.run(3).samples) == 3


def test_closing_ends_a_stopped_process(data):
    engine = started()
    engine.load({}, data)
    engine.stop()
    engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(engine.pid, 0)
