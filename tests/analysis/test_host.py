"""The machine at hand as Linux shows it, which may be less than the name of its CPU promises."""

import platform
import re

import pytest
import tvm
from tvm.target import codegen

from pipeline import processor
from pipeline.peak import peak_module
from pipeline.peak_kernel import PeakKernel
from pipeline.targets import Target, host
from pipeline.targets.host import last_cache_bytes

CPU = "znver4"
SHOWN = "fpu sse2 avx avx2 fma f16c bmi1 bmi2 movbe popcnt abm gfni vaes vpclmulqdq"
HIDDEN = (
    "avx512f avx512vl avx512bw avx512cd avx512dq avx512ifma avx512vbmi avx512_vbmi2 avx512_bf16 "
    "avx512_bitalg avx512_vnni avx512_vpopcntdq"
)
# More sums than AVX2 has registers, so that a compiler that may takes those of AVX-512.
SUMS = PeakKernel(lanes=8, accumulators=20)
AVX512_ONLY = re.compile(r"%(zmm|[xy]mm(1[6-9]|2\d|3[01])\b|k[0-7]\b)|\{1to")


@pytest.fixture
def host_with(monkeypatch, tmp_path):
    def with_flags(flags: str) -> Target:
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
        monkeypatch.setattr(processor, "CPUINFO", path)
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(codegen, "llvm_get_system_cpu", lambda: CPU)
        return host()

    return with_flags


def code(target: Target) -> str:
    return str(tvm.compile(peak_module(SUMS), target=target.tvm).mod.inspect_source("asm"))


def test_what_a_virtual_machine_hides_is_not_used(host_with):
    target = host_with(SHOWN)
    assert target.family == "x86_64-avx2-16fma"
    assert {f"-{name.replace('_', '')}" for name in HIDDEN.split()} == set(target.attributes)
    assert not AVX512_ONLY.search(code(target))


def test_what_it_shows_is_used(host_with):
    target = host_with(f"{SHOWN} {HIDDEN}")
    assert target.family == "x86_64-avx512-16fma"
    assert target.attributes == ()
    assert AVX512_ONLY.search(code(target))


def test_the_last_cache_is_that_of_the_highest_level_and_none_where_linux_tells_of_none(
    monkeypatch, tmp_path
):
    monkeypatch.setitem(last_cache_bytes.__globals__, "CACHES", tmp_path)
    assert last_cache_bytes() == 0
    caches = ["1 Data 32K", "1 Instruction 65536K", "2 Unified 1024K", "3 Unified 32768K"]
    for number, cache in enumerate(caches):
        index = tmp_path / f"index{number}"
        index.mkdir()
        for name, value in zip(("level", "type", "size"), cache.split(), strict=True):
            (index / name).write_text(f"{value}\n")
    assert last_cache_bytes() == 32 << 20
