"""The bits by which Linux tells a program what the CPU has, from <asm/hwcap.h>."""

from collections.abc import Sequence

# AT_HWCAP and AT_HWCAP2, of <elf.h>.
WORDS = (16, 26)
# For each architecture the names of /proc/cpuinfo by the bit, in each of the two words.
BITS: dict[str, tuple[dict[int, str], dict[int, str]]] = {
    "aarch64": (
        {
            0: "fp",
            1: "asimd",
            3: "aes",
            4: "pmull",
            5: "sha1",
            6: "sha2",
            7: "crc32",
            8: "atomics",
            9: "fphp",
            10: "asimdhp",
            12: "asimdrdm",
            13: "jscvt",
            14: "fcma",
            15: "lrcpc",
            17: "sha3",
            20: "asimddp",
            22: "sve",
            23: "asimdfhm",
        },
        {1: "sve2", 13: "i8mm", 14: "bf16", 23: "sme"},
    ),
    "armv7a": (
        {6: "vfp", 12: "neon", 13: "vfpv3", 16: "vfpv4", 17: "idiva"},
        {0: "aes", 4: "crc32"},
    ),
}


def features_of(architecture: str, words: Sequence[int]) -> frozenset[str]:
    """The names of the bits that are set."""
    return frozenset(
        name
        for word, bits in zip(words, BITS[architecture], strict=True)
        for bit, name in bits.items()
        if word >> bit & 1
    )
