"""MLPerf's load generator around an engine, and what is read of its summary."""

import time

import pytest

from pipeline.engines.loadgen import single_stream, summary
from pipeline.report import loadgen_rows
from pipeline.result_files import read_results
from tests.measure.records import result

SUMMARY = """
90.0th percentile latency (ns) : 1090556
Result is : {}
Early Stopping Result:
 * Processed at least 64 queries (741).
 * Early stopping 90.0th percentile estimate: 1093200
50.00 percentile latency (ns)   : 1076054
"""


def test_its_summary_is_read():
    found = summary(SUMMARY.format("VALID"))
    assert found == {"valid": True, "p90_ns": 1093200, "p50_ns": 1076054, "queries": 741}
    assert not summary(SUMMARY.format("INVALID"))["valid"]
    with pytest.raises(ValueError, match="does not tell p90_ns"):
        summary("Result is : INVALID")


def test_it_calls_the_engine_again_and_again(tmp_path):
    pytest.importorskip("mlperf_loadgen", reason="the extra loadgen is not installed")
    calls = []
    # An inference that takes a known time, with which the percentiles are compared.
    found = single_stream(lambda: calls.append(time.sleep(0.001)), tmp_path, 0.2, 100)
    assert found["queries"] == len(calls) >= 100
    assert 1e6 <= found["p50_ns"] <= found["p90_ns"]


def test_a_bench_shows_it_beside_its_own_figures(tmp_path, monkeypatch):
    pytest.importorskip("mlperf_loadgen", reason="the extra loadgen is not installed")
    from pipeline import bench
    from pipeline.__main__ import app

    monkeypatch.setattr(bench, "LOADGEN_SECONDS", 0.2)
    path = tmp_path / "r.json"
    words = ["shufflenet-0.25x-g1", "--input-size", "64x64", "--peers", "none", "--seconds", "0.3"]
    app(["bench", *words, "--loadgen", "--json", str(path)], standalone_mode=False)
    (one,) = read_results(path).results
    assert one.loadgen.queries >= 1024
    assert one.loadgen.p50_ms == pytest.approx(one.latency_ms.p50, rel=1.0)
    (row,) = loadgen_rows([one]).cells
    assert row[:5] == (one.model, "64x64", "1", "shufflenet-tvm", str(one.loadgen.queries))
    assert loadgen_rows([result()]).cells == []
