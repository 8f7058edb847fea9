"""Files that a crash, a bad disk or an editor has damaged, as hypothesis draws them."""

import random
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

Damage = Callable[[bytes], bytes]


def torn(content: bytes, at: float, _: int) -> bytes:
    """Only the beginning was written."""
    return content[: int(len(content) * at)]


def flipped(content: bytes, at: float, bit: int) -> bytes:
    """One bit is another."""
    changed = bytearray(content)
    changed[int((len(content) - 1) * at)] ^= 1 << bit % 8
    return bytes(changed)


def zeroed(content: bytes, at: float, length: int) -> bytes:
    """A block that never reached the disk."""
    start = int(len(content) * at)
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def shuffled(content: bytes, at: float, seed: int) -> bytes:
    """Blocks in another order: lines of a text, pages of a database."""
    size = 512
    lines = content.startswith(b"{")
    parts = (
        content.splitlines(keepends=True)
        if lines
        else [content[start : start + size] for start in range(0, len(content), size)]
    )
    kept = parts[: int(len(parts) * at)]
    rest = parts[len(kept) :]
    random.Random(seed).shuffle(rest)
    return b"".join([*kept, *rest])


def doubled(content: bytes, at: float, length: int) -> bytes:
    """A block is there twice."""
    start = int(len(content) * at)
    return content[: start + length] + content[start:]


damages = st.tuples(
    st.sampled_from([torn, flipped, zeroed, shuffled, doubled]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 4096),
)


def spoil(path: Path, damage: tuple[Callable[[bytes, float, int], bytes], float, int]) -> bool:
    """Damage a file; whether it is another now."""
    kind, at, number = damage
    before = path.read_bytes()
    path.write_bytes(kind(before, at, number))
    return path.read_bytes() != before
