"""Reading the compiler's assembly: functions as blocks of instructions, and where each leads."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.analysis.dialects import Dialect

FUNCTION = re.compile(r"^\s*\.type\s+([.\w$]+),\s*[@%]function", re.MULTILINE)
LABEL = re.compile(r"^([.\w$]+):")


@dataclass(frozen=True)
class Instruction:
    """A mnemonic and its operands as they stand."""

    name: str
    operands: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.operands}"


@dataclass(frozen=True)
class Block:
    """Instructions that run one after the other, and the numbers of the blocks that may follow."""

    instructions: tuple[Instruction, ...]
    next: tuple[int, ...]


def functions(text: str, dialect: "Dialect") -> dict[str, tuple[Block, ...]]:
    """The functions of a module by name, each from its entry; those without code are left out."""
    starts, found = set(FUNCTION.findall(text)), {}
    name, lines = "", list[str]()
    for line in text.splitlines():
        label = LABEL.match(line)
        if label and label.group(1) in starts:
            name, lines = label.group(1), []
        elif name and line.strip().startswith(".size"):
            found[name] = _blocks(lines, dialect)
            name = ""
        elif name:
            lines.append(line)
    return {name: blocks for name, blocks in found.items() if blocks}


def _blocks(lines: Iterable[str], dialect: "Dialect") -> tuple[Block, ...]:
    pieces: list[list[Instruction]] = [[]]
    labels: dict[str, int] = {}
    for line in lines:
        label = LABEL.match(line)
        text = line.split(dialect.comment)[0].strip()
        if label:
            if pieces[-1]:
                pieces.append([])
            labels[label.group(1)] = len(pieces) - 1
        elif text and not text.startswith("."):
            name, _, operands = text.partition("\t")
            pieces[-1].append(Instruction(name, operands.strip()))
            if dialect.ends_block(pieces[-1][-1]):
                pieces.append([])
    if not pieces[-1]:
        pieces.pop()
    return tuple(
        Block(tuple(piece), _next(piece, number, len(pieces), labels, dialect))
        for number, piece in enumerate(pieces)
    )


def _next(
    piece: list[Instruction], number: int, count: int, labels: dict[str, int], dialect: "Dialect"
) -> tuple[int, ...]:
    """The blocks after one; a jump to another function has none here."""
    last = piece[-1]
    after = (number + 1,) if number + 1 < count else ()
    target = labels.get(last.operands.rpartition(",")[2].strip())
    there = () if target is None or target >= count else (target,)
    if dialect.branch.match(last.name):
        return (*there, *after)
    if dialect.jump.match(last.name):
        return there
    return () if dialect.leaves(last) else after
