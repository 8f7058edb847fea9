"""Whether a linked library is what its target can load and run.

The file itself is asked, whoever linked it: the machine it is for, the libraries and symbols that
it looks for when it is loaded, how its segments are aligned, and which features of the CPU its
instructions are from.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import capstone
from capstone import arm64
from elftools.elf.elffile import ELFFile
from tvm.target import codegen

from pipeline.errors import WorkFailedError
from pipeline.linker import ANDROID_PAGE
from pipeline.targets import Target

MACHINES = {"aarch64": "EM_AARCH64", "armv7a": "EM_ARM", "x86_64": "EM_X86_64"}
# TVM's runtime has what begins like this; Linux has these libraries.
RUNTIME_PREFIXES = ("TVM", "__TVM")
C_LIBRARIES = frozenset({"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-aarch64.so.1"})
# Features by the disassembler's group, in the compiler's words; every core has the other groups.
GROUPS = {
    arm64.ARM64_GRP_FULLFP16: "fullfp16",
    arm64.ARM64_GRP_DOTPROD: "dotprod",
    arm64.ARM64_GRP_LSE: "lse",
    arm64.ARM64_GRP_RDM: "rdm",
    arm64.ARM64_GRP_RCPC: "rcpc",
    arm64.ARM64_GRP_AES: "aes",
    arm64.ARM64_GRP_CRYPTO: "aes",
    arm64.ARM64_GRP_SHA2: "sha2",
    arm64.ARM64_GRP_SHA3: "sha3",
    arm64.ARM64_GRP_SVE: "sve",
    arm64.ARM64_GRP_SVE2: "sve2",
    arm64.ARM64_GRP_SME: "sme",
    arm64.ARM64_GRP_MatMulInt8: "i8mm",
    arm64.ARM64_GRP_V8_3A: "v8.3a",
    arm64.ARM64_GRP_V8_4A: "v8.4a",
}
# The disassembler does not tell which vectors of float16 are only converted, as any core can.
HALF = re.compile(r"\.[48]?h\b|\bh\d")
CONVERSIONS = frozenset({"fcvt", "fcvtl", "fcvtl2", "fcvtn", "fcvtn2"})
FLOATING = re.compile(r"f(?!ml[as]l)|[su]cvtf")
UNREADABLE = "instructions that no disassembler knows"
# Of the build attributes of 32-bit code: what vectors it uses.
VECTORS: dict[int, tuple[str, ...]] = {0: (), 1: ("neon",), 2: ("neon", "vfp4")}


@dataclass(frozen=True)
class Facts:
    """What a library says of itself; `alignment` is the smallest of its loaded segments."""

    machine: str
    needed: frozenset[str]
    undefined: frozenset[str]
    alignment: int


def check_library(path: Path, target: Target) -> tuple[str, ...]:
    """The CPU features that ARM code uses; WorkFailedError if the target lacks something."""
    facts = read_facts(path)
    if facts.machine != MACHINES[target.architecture]:
        raise WorkFailedError(f"the library for {target.name} is for {facts.machine}")
    wrong = _faults(facts, target)
    used = used_features(path, target)
    has = {str(feature) for feature in codegen.llvm_get_cpu_features(target.tvm)}
    lacking = sorted(used - has)
    if lacking:
        wrong.append(f"it uses {', '.join(lacking)}, which {target.name} lacks")
    if wrong:
        raise WorkFailedError(f"the library for {target.name} is unfit: {'; '.join(wrong)}")
    return tuple(sorted(used))


def read_facts(path: Path) -> Facts:
    """The facts of an ELF file."""
    with path.open("rb") as stream:
        file = ELFFile(stream)
        loaded = [one["p_align"] for one in file.iter_segments("PT_LOAD")]
        dynamic = file.get_section_by_name(".dynamic")
        tags = dynamic.iter_tags("DT_NEEDED") if dynamic else ()
        symbols = file.get_section_by_name(".dynsym").iter_symbols()
        return Facts(
            machine=file["e_machine"],
            needed=frozenset(tag.needed for tag in tags),
            undefined=frozenset(one.name for one in symbols if _is_sought(one)),
            alignment=min(loaded),
        )


def used_features(path: Path, target: Target) -> frozenset[str]:
    """The features of an ARM CPU that the code uses; none for other architectures."""
    with path.open("rb") as stream:
        file = ELFFile(stream)
        if target.architecture == "aarch64":
            return _decoded(file.get_section_by_name(".text"))
        if target.architecture == "armv7a":
            return _stated(file.get_section_by_name(".ARM.attributes"))
    return frozenset()


def _is_sought(symbol: Any) -> bool:
    """Whether the loader has to find it: undefined, and not merely welcome."""
    entry = symbol.entry
    weak = entry["st_info"]["bind"] == "STB_WEAK"
    return entry["st_shndx"] == "SHN_UNDEF" and not weak and bool(symbol.name)


def _faults(facts: Facts, target: Target) -> list[str]:
    faults = []
    foreign = sorted(facts.needed - (frozenset() if target.android else C_LIBRARIES))
    if foreign:
        faults.append(f"it needs {', '.join(foreign)}")
    open_ = sorted(s for s in facts.undefined if not s.startswith(RUNTIME_PREFIXES))
    if open_ and not facts.needed:
        faults.append(f"nothing defines {', '.join(open_)}")
    if target.android and facts.alignment < ANDROID_PAGE:
        faults.append(f"its segments are aligned to {facts.alignment}, not {ANDROID_PAGE}, bytes")
    return faults


def _decoded(text: Any) -> frozenset[str]:
    """By disassembling 64-bit code, which has no data between its instructions."""
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    disassembler.detail, disassembler.skipdata = True, True
    used: set[str] = set()
    for instruction in disassembler.disasm(text.data(), 0):
        if instruction.id == 0:
            used.add(UNREADABLE)
        else:
            used.update(GROUPS[group] for group in instruction.groups if group in GROUPS)
            if _computes_half(instruction):
                used.add("fullfp16")
    return frozenset({"neon", *used})


def _computes_half(instruction: Any) -> bool:
    """Whether it does more with a float16 than to convert it."""
    name = instruction.mnemonic
    computes = FLOATING.match(name) is not None and name not in CONVERSIONS
    return computes and HALF.search(instruction.op_str) is not None


def _stated(attributes: Any) -> frozenset[str]:
    """By the build attributes, as 32-bit code mixes instructions and data."""
    used: set[str] = set()
    for vendor in attributes.iter_subsections():
        for part in vendor.iter_subsubsections():
            for attribute in part.iter_attributes("TAG_ADVANCED_SIMD_ARCH"):
                used.update(VECTORS.get(attribute.value, ("fp-armv8",)))
    return frozenset(used)
