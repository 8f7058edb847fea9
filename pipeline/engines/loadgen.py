"""MLPerf's own load generator, in the process of an engine: its single-stream scenario.

It asks for the next inference when the one before is done, and writes what it found to a folder.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUMMARY = "mlperf_log_summary.txt"
FIGURES = {
    "p90_ns": r"Early stopping 90\.0th percentile estimate: (\d+)",
    "p50_ns": r"50\.00 percentile latency \(ns\)\s*: (\d+)",
    "queries": r"Processed at least \d+ queries \((\d+)\)",
}


def single_stream(
    infer: Callable[[], None], folder: Path, seconds: float, queries: int
) -> dict[str, Any]:
    """Figures of its summary; "p90_ns" is the estimate by which MLPerf ranks systems.

    It runs for `seconds` and until `queries` are done.
    """
    import mlperf_loadgen as mlperf  # type: ignore[import-not-found]

    def issue(samples: Any) -> None:
        for sample in samples:
            infer()
            mlperf.QuerySamplesComplete([mlperf.QuerySampleResponse(sample.id, 0, 0)])

    settings = mlperf.TestSettings()
    settings.scenario = mlperf.TestScenario.SingleStream
    settings.mode = mlperf.TestMode.PerformanceOnly
    settings.min_duration_ms = round(seconds * 1e3)
    settings.min_query_count = queries
    output = mlperf.LogOutputSettings()
    output.outdir, output.copy_summary_to_stdout = str(folder), False
    log = mlperf.LogSettings()
    log.log_output, log.enable_trace = output, False
    system = mlperf.ConstructSUT(issue, lambda: None)
    library = mlperf.ConstructQSL(1, 1, lambda _: None, lambda _: None)
    mlperf.StartTestWithLogSettings(system, library, settings, log)
    mlperf.DestroyQSL(library)
    mlperf.DestroySUT(system)
    return summary((folder / SUMMARY).read_text())


def summary(text: str) -> dict[str, Any]:
    """Whether the run is valid by MLPerf's rules for it, and FIGURES; ValueError without one."""
    found: dict[str, Any] = {"valid": "Result is : VALID" in text}
    for name, pattern in FIGURES.items():
        match = re.search(pattern, text)
        if match is None:
            raise ValueError(f"the summary of LoadGen does not tell {name}")
        found[name] = int(match.group(1))
    return found
