"""How each instruction set is spelt, as far as loops and vectors need it."""

import re
from dataclasses import dataclass
from re import Pattern

from pipeline.analysis.assembly import Instruction


@dataclass(frozen=True)
class Dialect:
    """One instruction set in the compiler's spelling.

    `branch` may be taken, `jump` is, and after `leave`, of which operands are part, nothing
    follows. `multiply` are multiply-adds. `load` and `store` name the instructions that do nothing
    else; an instruction whose operands have `stack` in them reaches the stack. `lanes` is the
    number of values by the vector that the first match names, and `stored` the bytes; `moves` are
    stores if the last operand is memory, and loads if another is.
    """

    comment: str
    branch: Pattern[str]
    jump: Pattern[str]
    leave: Pattern[str]
    multiply: Pattern[str]
    load: Pattern[str]
    store: Pattern[str]
    stack: Pattern[str]
    vector: Pattern[str]
    lanes: dict[str, int]
    stored: dict[str, int]
    moves: Pattern[str] | None = None

    def ends_block(self, one: Instruction) -> bool:
        """Whether what runs after it may stand elsewhere."""
        named = self.branch.match(one.name) or self.jump.match(one.name)
        return bool(named) or self.leaves(one)

    def leaves(self, one: Instruction) -> bool:
        """Whether it ends the function."""
        return bool(self.leave.match(str(one)))

    def macs(self, one: Instruction) -> int:
        """Multiply-adds of one value that an instruction makes."""
        if not self.multiply.match(one.name):
            return 0
        if one.name.endswith(("ss", "sd")):
            return 1
        found = self.vector.search(one.operands)
        return self.lanes.get(found.group(1), 1) if found else 1

    def is_load(self, one: Instruction) -> bool:
        """Whether it is nothing but a load."""
        if self.moves is None:
            return bool(self.load.match(one.name))
        return bool(self.moves.match(one.name)) and "(" in one.operands and not self.is_store(one)

    def is_store(self, one: Instruction) -> bool:
        """Whether it is a store."""
        if self.moves is None:
            return bool(self.store.match(one.name))
        return bool(self.moves.match(one.name)) and one.operands.endswith(")")

    def on_stack(self, one: Instruction) -> bool:
        """Whether it reads or writes memory of the stack."""
        return bool(self.stack.search(one.operands)) and not one.name.startswith("lea")

    def is_vector(self, one: Instruction) -> bool:
        """Whether its first operand, on x86 any, is a register of floating-point values."""
        return bool(self.vector.search(one.operands))

    def stored_bytes(self, one: Instruction) -> int:
        """What a store writes elsewhere than to the stack, of values of the network."""
        if not self.is_store(one) or self.on_stack(one):
            return 0
        found = self.vector.search(one.operands)
        size = self.stored.get(found.group(1), 0) if found else 0
        return size * (2 if one.name == "stp" else 1)


AARCH64 = Dialect(
    comment="//",
    branch=re.compile(r"(b\.\w+|cbn?z|tbn?z)$"),
    jump=re.compile(r"b$"),
    leave=re.compile(r"(ret|br)\b"),
    multiply=re.compile(r"(fmla|fmls|fmadd)$"),
    load=re.compile(r"ld"),
    store=re.compile(r"st"),
    stack=re.compile(r"\[sp\b"),
    vector=re.compile(r"^\{? ?(?:v\d+)?(q|d|s|h|\.\w+)"),
    lanes={".8h": 8, ".4h": 4, ".4s": 4, ".2s": 2, ".2d": 2},
    stored={"q": 16, "d": 8, "s": 4, "h": 2, ".s": 4, ".h": 2, ".d": 8, ".4s": 16, ".8h": 16},
)
ARM = Dialect(
    comment="@",
    branch=re.compile(r"b(eq|ne|lt|le|gt|ge|lo|ls|hi|hs|mi|pl|vs|vc|cs|cc)$"),
    jump=re.compile(r"b$"),
    leave=re.compile(r"bx\b|(pop|ldm\w*) .*\bpc\b"),
    # For cores of 32 bits the compiler makes a multiplication and an addition of a multiply-add.
    multiply=re.compile(r"v(fma|mla|mul)\.f"),
    load=re.compile(r"v?ld"),
    store=re.compile(r"v?st"),
    stack=re.compile(r"\[sp\b"),
    vector=re.compile(r"^\{?(q|d|s)\d"),
    lanes={"q": 4, "d": 2, "s": 1},
    stored={"q": 16, "d": 8, "s": 4},
)
X86 = Dialect(
    comment="#",
    branch=re.compile(r"j(?!mp)\w+$"),
    jump=re.compile(r"jmpq?$"),
    leave=re.compile(r"(retq?|ud2)\b"),
    multiply=re.compile(r"vf(n?m)(add|sub)\d+[ps][sdh]$"),
    load=re.compile(r"$^"),
    store=re.compile(r"$^"),
    stack=re.compile(r"\(%r[sb]p\b"),
    vector=re.compile(r"%([zyx]mm)\d"),
    lanes={"zmm": 16, "ymm": 8, "xmm": 4},
    stored={"zmm": 64, "ymm": 32, "xmm": 16},
    moves=re.compile(r"(v?mov|vbroadcast|vpbroadcast|vextract|vpextr)"),
)
DIALECTS = {"aarch64": AARCH64, "armv7a": ARM, "x86_64": X86}
