"""Which sectors of device memory the warps of a kernel touch, from its addresses.

The program is walked with the numbers of the 32 threads of a warp in place of the thread's; of
each loop the first, the second and the last turn are taken, of the grid the first blocks and one in
its middle. An access of a warp is one request; it fetches whole sectors of 32 bytes. A request
whose threads ask for neighbouring values needs as many sectors as its bytes fill.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm.tirx import PrimFunc

from pipeline.gpu.evaluate import Environment, evaluate, loads
from schedules.cuda.device import LOAD_EARLY
from schedules.cuda.vectors import ACCESS_BYTES, bytes_of
from schedules.gpu import WARP

Numbers = NDArray[np.int64]
SECTOR_BYTES = 32
# A request may fetch twice what it asks for: half a sector of each of its pixels' rows, whose other
# half the next turn of the loop asks for.
MOST_FETCHED = 2.0


@dataclass(frozen=True)
class Access:
    """The requests to one tensor that were seen: sectors that they fetch, sectors that their bytes
    fill, and the widest of them in bytes a thread."""

    tensor: str
    store: bool
    sectors: int
    filled: int
    widest: int

    @property
    def coalesced(self) -> bool:
        """Whether the requests fetch little that they do not ask for."""
        return self.sectors <= MOST_FETCHED * self.filled


@dataclass
class _Tally:
    sectors: int = 0
    filled: int = 0
    widest: int = 0


def accesses(function: PrimFunc) -> list[Access]:
    """The accesses to the tensors in device memory, by tensor."""
    tallies: dict[tuple[str, bool], _Tally] = {}
    tensors = {parameter.name for parameter in function.params}
    for request in _requests(function.body, {}, None):
        if request.tensor in tensors:
            _count(tallies.setdefault((request.tensor, request.store), _Tally()), request)
    return [
        Access(name, store, one.sectors, one.filled, one.widest)
        for (name, store), one in tallies.items()
    ]


@dataclass(frozen=True)
class _Request:
    """One access of a warp: the index of every active thread [threads, lanes], and the bytes of a
    value."""

    tensor: str
    store: bool
    places: Numbers
    size: int


def _count(tally: _Tally, request: _Request) -> None:
    places, size = request.places, request.size
    wide = places.shape[1] > 1 and bool((np.diff(places, axis=1) == 1).all())
    if wide and (places[:, 0] % places.shape[1]).any():
        wide = False  # not aligned: as many accesses as values
    for part in [places] if wide else places.T[:, :, None]:
        values = np.unique(part)
        tally.sectors += len(np.unique(values * size // SECTOR_BYTES))
        tally.filled += -(-len(values) * size // SECTOR_BYTES)
        tally.widest = max(tally.widest, part.shape[1] * size)


def _requests(node: Any, known: Environment, active: Any) -> Iterator[_Request]:
    """The requests of a statement; `active` tells which threads execute it, None that all do."""
    kind = type(node).__name__
    if kind == "SBlockRealize":
        yield from _requests(node.block.body, known, active)
    elif kind == "SeqStmt":
        for one in node.seq:
            yield from _requests(one, known, active)
    elif kind == "For":
        for value in _turns(node):
            yield from _requests(node.body, {**known, node.loop_var.name: value}, active)
    elif kind == "IfThenElse":
        holds = _and(active, evaluate(node.condition, known))
        yield from _requests(node.then_case, known, holds)
    elif kind == "BufferStore":
        yield from _reads(node.value, known, active)
        yield _request(node, True, known, active)
    elif kind == "Evaluate":
        yield from _called(node.value, known, active)
    else:
        raise ValueError(f"a kernel has a {kind}, whose addresses are not known")


def _called(call: Any, known: Environment, active: Any) -> Iterator[_Request]:
    """The request of an early load; whatever else a kernel calls moves values of the warp and of
    the block."""
    function, *arguments = call.args
    if function.value != LOAD_EARLY:
        return
    data, offset = arguments[1].args[1:3]
    first = np.broadcast_to(evaluate(offset, known), (WARP, 1))
    places = first[_active(active)] if active is not None else first
    (tensor,) = data.args
    size = bytes_of(str(tensor.dtype))
    yield _Request(tensor.name, False, places + np.arange(ACCESS_BYTES // size), size)


def _reads(value: Any, known: Environment, active: Any) -> Iterator[_Request]:
    for load, condition in loads(value, known):
        yield _request(load, False, known, _and(active, condition))


def _request(node: Any, store: bool, known: Environment, active: Any) -> _Request:
    place: Any = 0
    tensor = node.buffer if store else node.source
    for index, extent in zip(node.indices, tensor.shape, strict=True):
        place = place * int(extent) + evaluate(index, known)
    lanes = max((np.shape(v)[1] for v in known.values() if np.ndim(v) == 2), default=1)
    places = np.broadcast_to(place, (WARP, lanes))
    if active is not None:
        places = places[_active(active)]
    return _Request(tensor.name, store, places, bytes_of(str(tensor.dtype)))


def _active(active: Any) -> Any:
    """Which threads of the warp take part."""
    return np.broadcast_to(active, (WARP, np.shape(active)[-1] if np.ndim(active) else 1))[:, 0]


def _and(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return np.logical_and(one, other)


def _turns(loop: Any) -> list[Any]:
    """The values of a loop's variable that are looked at."""
    extent = int(loop.extent)
    tag = loop.thread_binding.thread_tag if loop.thread_binding is not None else ""
    if tag == "threadIdx.x":
        warps = sorted({0, extent // WARP // 2, (extent - 1) // WARP})
        return [np.arange(WARP)[:, None] + warp * WARP for warp in warps]
    if tag == "blockIdx.x":
        return sorted({0, min(1, extent - 1), extent // 2})
    if (
        str(loop.kind) in ("2", "ForKind.VECTORIZED")
        or getattr(loop.kind, "name", "") == "VECTORIZED"
    ):
        return [np.arange(extent)[None, :]]
    return sorted({0, min(1, extent - 1), extent - 1})
