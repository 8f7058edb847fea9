"""What is said of whatever listens where a tracker should be."""

import socket
import struct
import threading
import time

import pytest
from tvm.rpc import base

from pipeline.devices import tracker as trackers
from pipeline.devices.address import RpcAddress, Tracker
from pipeline.devices.tracker import registered, request
from pipeline.errors import RequestError

GREETING = struct.pack("<i", base.RPC_TRACKER_MAGIC)
LATE_SECONDS = 1.0


def greet(connection):
    assert base.recvall(connection, 4) == GREETING
    connection.sendall(GREETING)


def answer(connection):
    """As a tracker without devices does."""
    greet(connection)
    base.recvjson(connection)
    summary = {"server_info": [], "queue_info": {}}
    base.sendjson(connection, [base.TrackerCode.SUCCESS, summary])


def answer_late(connection):
    # What is tested: a tracker that takes its time, and tells nobody that it does.
    time.sleep(LATE_SECONDS)
    answer(connection)


def greet_only(connection):
    greet(connection)
    say_nothing(connection)


def say_nothing(connection):
    while connection.recv(1000):
        pass


def say_something_else(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request")


def hang_up(connection):
    connection.recv(4)


@pytest.fixture
def listening():
    """Starts what serves connections one after the other, each in its way; where it listens."""
    threads = []

    def start(*serves):
        listener = socket.create_server(("127.0.0.1", 0))

        def run():
            with listener:
                for serve in serves:
                    with listener.accept()[0] as connection:
                        serve(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return Tracker("127.0.0.1", listener.getsockname()[1])

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_a_tracker_may_take_its_time(listening):
    assert LATE_SECONDS < trackers.ANSWER_SECONDS
    assert registered(listening(answer_late)) == []


@pytest.mark.parametrize("silent", [say_nothing, greet_only])
def test_a_tracker_is_asked_again(listening, monkeypatch, silent):
    monkeypatch.setattr(trackers, "ANSWER_SECONDS", 0.5)
    assert registered(listening(silent, answer)) == []


@pytest.mark.parametrize("silent", [say_nothing, greet_only])
def test_silence_is_told_from_something_else(listening, monkeypatch, silent):
    monkeypatch.setattr(trackers, "ANSWER_SECONDS", 0.3)
    with pytest.raises(RequestError, match=r"does not answer, asked 3 times .* try again later"):
        registered(listening(*[silent] * 3))
    address = RpcAddress(listening(greet_only, greet_only, greet_only), "key")
    with pytest.raises(RequestError, match="does not answer"):
        request(address, 1)


@pytest.mark.parametrize("serve", [say_something_else, hang_up])
def test_something_else_is_no_tracker(listening, serve):
    with pytest.raises(RequestError, match="is no tracker"):
        registered(listening(serve))
