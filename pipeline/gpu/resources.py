"""What the compiler says that each kernel takes of a GPU."""

import re

from pydantic import Field

from pipeline.results import Record

ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)\w*'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
# TVM calls the device's function of a kernel like this.
SUFFIX = "_kernel"


class Resources(Record):
    """Of a kernel on one architecture: registers a thread, bytes of shared memory a block, and
    bytes that a thread keeps in memory because its registers do not hold them."""

    function: str = Field(exclude=True, default="")
    architecture: int
    registers: int
    shared_bytes: int
    spilled_bytes: int


def read_resources(log: str) -> list[Resources]:
    """The resources of every kernel in what ptxas says when it is asked to be verbose."""
    found = []
    sections = ENTRY.split(log)[1:]
    for name, architecture, text in zip(sections[::3], sections[1::3], sections[2::3], strict=True):
        used, spills, shared = USED.search(text), SPILLS.search(text), SHARED.search(text)
        if used is None:
            continue
        found.append(
            Resources(
                function=name.removesuffix(SUFFIX),
                architecture=int(architecture),
                registers=int(used[1]),
                shared_bytes=int(shared[1]) if shared else 0,
                spilled_bytes=sum(map(int, spills.groups())) if spills else 0,
            )
        )
    return found
