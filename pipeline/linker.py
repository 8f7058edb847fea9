"""The C linker, which makes a library of compiled code."""

import shutil

from pipeline.errors import RequestError

PROGRAMS = ("cc", "gcc", "clang", "g++", "c++")
REMEDY = "install one, for example with: apt-get install gcc libc6-dev"


def find_linker() -> str | None:
    """The path of the first program that links."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((path for path in found if path), None)


def require_linker() -> str:
    """The same; RequestError if there is none."""
    linker = find_linker()
    if linker is None:
        raise RequestError(f"no C linker ({', '.join(PROGRAMS)}) on this machine; {REMEDY}")
    return linker
