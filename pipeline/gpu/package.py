"""Device code into the library that TVM's runtime loads.

TVM compiles device code itself only where a GPU is in reach; elsewhere the library would carry the
CUDA source, to be compiled by whoever loads it. Here the source is replaced with the binary in
the bytes that TVM packs into the library:

    blob     length, import tree, then for every module its kind and its bytes
    "cuda"   format ("cuda" for source, "fatbin" for a binary), table of kernels, code

Every string and byte string has its length before it, in eight bytes with the lowest first.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tvm_ffi

from pipeline.errors import WorkFailedError
from pipeline.linker import Linker

WORD = 8
KIND = b"cuda"
SOURCE, BINARY = b"cuda", b"fatbin"
OBJECT = """    .section .rodata
    .globl {symbol}
    .type {symbol}, %object
    .balign 16
{symbol}:
    .incbin "{blob}"
    .size {symbol}, . - {symbol}
    .section .note.GNU-stack, "", %progbits
"""
# Keeps the compiler from handing the source to the CUDA runtime where there is one.
KEEP_SOURCE = "TVM_COMPILE_FORCE_FALLBACK"


@contextmanager
def keeping_source() -> Iterator[None]:
    """TVM makes CUDA source meanwhile, and leaves it at that on every machine."""
    before = os.environ.get(KEEP_SOURCE)
    os.environ[KEEP_SOURCE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[KEEP_SOURCE]
        else:
            os.environ[KEEP_SOURCE] = before


def device_module(module: Any) -> Any:
    """The module among the imports that holds the CUDA source."""
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if one.kind == KIND.decode():
            return one
        waiting.extend(one.imports)
    raise ValueError("the module has no kernels for CUDA")


def export_library(module: Any, binary: bytes, path: Path, linker: Linker) -> None:
    """Link a compiled module whose device code is `binary`."""
    source = device_module(module).inspect_source("cuda").encode()

    def pack(whole: Any, _: bool, __: str, folder: str) -> str:
        packed = tvm_ffi.get_global_func("runtime.ModulePackImportsToTensor")(whole)
        blob, assembly = Path(folder) / "devices.bin", Path(folder) / "devices.s"
        blob.write_bytes(with_binary(packed.numpy().tobytes(), source, binary))
        symbol = tvm_ffi.get_global_func("runtime.ModuleImportsBlobName")()
        assembly.write_text(OBJECT.format(symbol=symbol, blob=blob))
        return str(assembly)

    module.export_library(str(path), fcompile=linker.link, fpack_imports=pack)


def with_binary(blob: bytes, source: bytes, binary: bytes) -> bytes:
    """The packed imports, with the binary where the source was.

    WorkFailedError if they are not as this file describes them.
    """
    code = blob.find(_counted(source))
    start = blob.rfind(_counted(SOURCE), 0, max(code, 0))
    end = code + WORD + len(source)
    whole, own = _number(blob, 0), _number(blob, max(start - WORD, 0))
    if start < WORD or whole != len(blob) - WORD or own != end - start:
        raise WorkFailedError("this release of TVM packs the code of GPUs in an unknown way")
    table = blob[start + len(_counted(SOURCE)) : code]
    device = _counted(_counted(BINARY) + table + _counted(binary))
    body = blob[WORD : start - WORD] + device + blob[end:]
    return _word(len(body)) + body


def _word(number: int) -> bytes:
    return number.to_bytes(WORD, "little")


def _number(blob: bytes, place: int) -> int:
    return int.from_bytes(blob[place : place + WORD], "little")


def _counted(data: bytes) -> bytes:
    return _word(len(data)) + data
