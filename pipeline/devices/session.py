"""One remote device for a while: upload a library, run its functions, time them there.

    with connect(parse_device("rpc://127.0.0.1:9190/phone"), seconds=60) as device:
        library = device.upload(Path("model.so"))
        outputs = library.run("kernel", [data, weight, out])
        seconds = library.time("kernel", [data, weight, out], Timing(number=10))

The device ends the session itself after its seconds. Remote objects are freed before it is closed.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tvm
from numpy.typing import NDArray
from tvm import rpc

from pipeline.devices.address import RpcAddress
from pipeline.devices.cores import use_cores
from pipeline.devices.tracker import request
from pipeline.errors import WorkFailedError

Array = NDArray[Any]
# Of waiting for a device that others use.
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Timing:
    """`repeat` means of `number` calls each, of more if they take less than `shortest_ms`; the
    device rests for `cooldown_ms` between them."""

    number: int = 1
    repeat: int = 3
    shortest_ms: int = 0
    cooldown_ms: int = 0


@dataclass
class Session:
    """A device that is ours until `close`; `remote` is TVM's session.

    TVM closes a session when nobody holds a part of it any more, so it and the libraries are held
    here alone.
    """

    address: RpcAddress
    remote: Any
    libraries: "list[Library]" = field(default_factory=list)

    def upload(self, library: Path) -> "Library":
        """Send a shared library and load it there; WorkFailedError if it cannot be loaded."""
        try:
            self.remote.upload(str(library))
            loaded = Library(self, self.remote.load_module(library.name))
        except (RuntimeError, OSError) as error:
            raise self.failure("loading the library", error) from error
        self.libraries.append(loaded)
        return loaded

    def close(self) -> None:
        """Give the device back; neither it nor its libraries can be used after that."""
        for library in self.libraries:
            library.module = None
        self.libraries.clear()
        # An array that is still held by an exception would keep the session open.
        gc.collect()
        self.remote = None

    def tensor(self, array: Array) -> Any:
        """An array in the memory of the device."""
        return tvm.runtime.tensor(array, self.remote.cpu())

    def failure(self, doing: str, error: Exception) -> WorkFailedError:
        """The error for what the device could not do."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return WorkFailedError(f"{self.address}: {doing} failed: {(lines or ['no word why'])[-1]}")


@dataclass
class Library:
    """A library in the memory of a device."""

    session: Session
    module: Any

    def run(self, function: str, arrays: Sequence[Array]) -> list[Array]:
        """Call a function with copies of the arrays; what all of them hold afterwards."""
        try:
            tensors = [self.session.tensor(array) for array in arrays]
            self.module[function](*tensors)
            return [tensor.numpy() for tensor in tensors]
        except (RuntimeError, OSError, AttributeError) as error:
            raise self.session.failure(f"running {function}", error) from error

    def time(
        self, function: str, arrays: Sequence[Array], timing: Timing = Timing()
    ) -> tuple[float, ...]:
        """Seconds of a call, by the device's clock, one for each repetition."""
        try:
            tensors = [self.session.tensor(array) for array in arrays]
            timed = self.module.time_evaluator(
                function,
                self.session.remote.cpu(),
                number=timing.number,
                repeat=timing.repeat,
                min_repeat_ms=timing.shortest_ms,
                cooldown_interval_ms=timing.cooldown_ms,
                repeats_to_cooldown=1,
            )
            return tuple(float(seconds) for seconds in timed(*tensors).results)
        except (RuntimeError, OSError, AttributeError) as error:
            raise self.session.failure(f"timing {function}", error) from error


@contextmanager
def connect(
    address: RpcAddress,
    seconds: float,
    wait: float = WAIT_SECONDS,
    cores: str = "big",
    threads: int = 1,
) -> Iterator[Session]:
    """A device of that key for at most so many seconds, with work on `threads` of its cores.

    RequestError if there is no tracker or no such key; WorkFailedError if no device is free within
    `wait` seconds, or the one that is does not answer as it should.
    """
    ticket = request(address, wait)
    try:
        remote = rpc.connect(ticket.host, ticket.port, ticket.word, session_timeout=seconds)
    except (RuntimeError, OSError) as error:
        raise WorkFailedError(
            f"{address}: the device at {ticket.host}:{ticket.port} refuses the connection; "
            "is it reachable from here, and its TVM of the same version?"
        ) from error
    session = Session(address, remote)
    del remote
    try:
        use_cores(session, cores, threads)
        yield session
    finally:
        session.close()
