"""Which cores of a device do the work: the big ones, the little ones, all, or a mask of them.

TVM's runtime sorts cores by their highest clock: those that reach it are big, those of the lowest
are little. It takes the mode from afar, but a mask only from the process that it runs in, so a mask
is given where the server is started.
"""

import re
from typing import TYPE_CHECKING

from pipeline.errors import RequestError

if TYPE_CHECKING:
    from pipeline.devices.session import Session

# Of TVM's threading backend.
MODES = {"big": 1, "little": -1, "all": 0}
MASK = re.compile(r"0x[0-9a-fA-F]{1,16}")


def parse_cores(text: str) -> str:
    """One of `MODES`."""
    if text in MODES:
        return text
    if MASK.fullmatch(text):
        raise RequestError(
            f"a mask is chosen on the device: shufflenet-tvm rpc server --cores {text}; "
            f"from here: {', '.join(MODES)}"
        )
    raise RequestError(f"unknown cores {text!r}; known: {', '.join(MODES)}")


def parse_mask(text: str) -> tuple[int, ...]:
    """The numbers of the cores in a mask such as 0xf0, whose lowest bit is core 0."""
    if MASK.fullmatch(text) is None or int(text, 16) == 0:
        raise RequestError(f"{text!r} is no mask of cores; give one as in 0xf0")
    mask = int(text, 16)
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)


def use_cores(session: "Session", mode: str, threads: int) -> None:
    """Run what follows on so many threads, on those cores."""
    try:
        session.remote.get_function("runtime.config_threadpool")(MODES[mode], threads)
    except (RuntimeError, OSError, AttributeError) as error:
        raise session.failure(f"choosing the {mode} cores", error) from error
