"""A profile as a table, and in words."""

from pipeline.profiling.records import Call, EmulatedProfile, Profile
from pipeline.profiling.timed_call import TimedCall
from pipeline.rows import Rows

HEADINGS = (
    "module",
    "operators",
    "output",
    "ms",
    "of time",
    "M MAC",
    "GMAC/s",
    "of peak",
    "roof ms",
    "kB",
    "MAC/byte",
    "schedule",
)
# As near as the sum of the kernels has to come to the whole.
LARGEST_GAP = 0.05
PREFIX = "features."


def profile_rows(profile: Profile) -> Rows:
    """A row for each kernel call in order, and the sum."""
    cells = [_cells(call, profile) for call in profile.calls]
    macs, total = sum(call.macs for call in profile.calls), profile.kernels_ms
    rate, moved = macs / 1e6 / total, sum(call.edge_bytes for call in profile.calls)
    share, roof = f"{rate / profile.peak_gmacs:.0%}", f"{profile.roofs_ms:.3f}"
    sums = (f"{total:.3f}", "100%", f"{macs / 1e6:.1f}", f"{rate:.1f}", share, roof)
    cells.append(("all kernels", "", "", *sums, f"{moved / 1e3:.0f}", f"{macs / moved:.1f}", ""))
    return Rows(profile.title, HEADINGS, cells)


def describe(profile: Profile) -> list[str]:
    """Whether the kernels add up, what the machine allows, memory, and the estimate of energy."""
    energy, gap = profile.energy, profile.gap
    total = energy.cache_uj + energy.dram_uj + energy.arithmetic_uj
    verdict = "as they should" if abs(gap) <= LARGEST_GAP else "which is too far: measure longer"
    held = profile.peak_activation_bytes
    activations = "" if held is None else f", activations up to {held / 1e6:.1f} MB"
    return [
        f"the kernels add up to {profile.kernels_ms:.3f} ms, the whole takes "
        f"{profile.whole_ms:.3f} ms: {gap:+.1%}, {verdict}",
        f"the machine allows {profile.roofs_ms:.3f} ms, {profile.roofs_ms / profile.whole_ms:.0%} "
        f"of that; multiply-adds alone take {profile.arithmetic_ms:.3f} ms",
        f"read from {_rates(profile)}",
        f"memory: {profile.parameters / 1e6:.2f} million parameters, library "
        f"{profile.library_bytes / 1e6:.1f} MB{activations}",
        f"energy, an estimate from 45 nm figures: {total / 1e3:.2f} mJ; arithmetic "
        f"{energy.arithmetic_uj / total:.0%}, cache {energy.cache_uj / total:.0%}, "
        f"DRAM {energy.dram_uj / total:.0%}",
    ]


def _rates(profile: Profile) -> str:
    """How fast each memory is read."""
    return ", ".join(f"{name} {rate:.0f} GB/s" for name, rate in profile.bandwidth.items())


def describe_emulated(one: EmulatedProfile) -> str:
    """What was found, and why there are no times."""
    return (
        f"{one.model} on {one.device}: {one.calls} kernel calls, one by one, compute what the"
        " network computes; emulated, so not timed"
    )


def _cells(call: Call, profile: Profile) -> tuple[str, ...]:
    rate = ("", "")
    if call.macs:
        rate = f"{call.gmacs:.1f}", f"{call.gmacs / profile.peak_gmacs:.0%}"
    return (
        modules_of(call),
        " ".join(name.lower() for name in call.operators),
        call.output,
        f"{call.ms:.3f}",
        f"{call.ms / profile.kernels_ms:.1%}",
        f"{call.macs / 1e6:.2f}" if call.macs else "",
        *rate,
        f"{profile.roof_ms(call):.3f}",
        f"{call.edge_bytes / 1e3:.0f}",
        f"{call.intensity:.1f}" if call.macs else "",
        call.source,
    )


def modules_of(call: TimedCall) -> str:
    """The modules of a call, with what they share named once."""
    if not call.paths:
        return call.function
    shared = f"{call.path}." if call.path else ""
    own = [path.removeprefix(shared) for path in call.paths]
    if len(call.paths) == 1:
        return call.path.removeprefix(PREFIX)
    return f"{call.path.removeprefix(PREFIX)}: {', '.join(own)}" if call.path else ", ".join(own)
