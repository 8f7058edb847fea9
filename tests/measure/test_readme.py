"""The README shows what a result file of this repository says, and nothing else of its tables."""

from pathlib import Path

import pytest

from pipeline.errors import RequestError
from pipeline.readme import BEGIN, END, insert_results, results_markdown, savings, side_by_side
from pipeline.result_files import read_results
from pipeline.results import Verdict
from tests.measure.records import result, result_file

ROOT = Path(__file__).parents[2]
OURS = result()
RIVAL = result(engine="onnxruntime", p50=5.0, verdict=Verdict.UNSTABLE)
SLOW = result(engine="torch", p50=9.0)


def test_every_number_of_the_readme_is_from_a_result_file():
    text = (ROOT / "README.md").read_text()
    shown = text.partition(BEGIN)[2].partition(END)[0].strip()
    files = (ROOT / "tuning_logs" / "results").glob("*.json")
    assert shown in [results_markdown(read_results(path)) for path in files]
    tables = [line for line in text.replace(shown, "").splitlines() if line.startswith("|")]
    assert not any(f"{OURS.engine} |" in line for line in tables)


def test_engines_stand_side_by_side_with_the_fastest_peer_over_ours():
    (row,) = side_by_side([SLOW, RIVAL, OURS]).cells
    assert row == (OURS.model, "224x224", "1", "**2.00**", "50%", "~5.00", "9.00", "**2.50**")


def test_a_column_says_how_long_cores_waited_for_each_other_if_that_is_known():
    two = result(threads=2, p50=1.0, handover_ns=[250.0, 900.0, 260.4])
    one_thread, two_threads = side_by_side([OURS, two]).cells
    assert side_by_side([OURS, two]).headings[3] == "wait, ns"
    assert (one_thread[2:5], two_threads[2:5]) == (("1", "", "**2.00**"), ("2", "260", "**1.00**"))
    assert "wait, ns" not in side_by_side([OURS]).headings


def test_savings_are_those_of_the_same_engine():
    mobilenet = result("mobilenet-1.0", p50=8.0)
    elsewhere = result("mobilenet-1.0", engine="torch", p50=18.0)
    (row,) = savings([OURS, SLOW, RIVAL, mobilenet, elsewhere]).cells
    pair = "mobilenet-1.0 : shufflenet-1.0x-g3"
    assert row == (pair, "224x224", "1", "4.14", "4.00", "", "2.00")


def test_what_surrounds_the_tables_stays(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"# mine\n\n{BEGIN}\nold\n{END}\n\nrest\n")
    insert_results(result_file(OURS, RIVAL), path)
    insert_results(result_file(OURS, RIVAL), path)
    text = path.read_text()
    assert text.startswith(f"# mine\n\n{BEGIN}\nMedian latency")
    assert text.endswith(f"\n{END}\n\nrest\n")
    assert "old" not in text
    assert text.count("~5.00") == 1


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_file_without_a_place_is_left_alone(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(RequestError, match="add two lines"):
        insert_results(result_file(OURS), path)
    assert path.read_text() == text
