"""What the tables say."""

from rich.console import Console

from pipeline.report import advice, latency_rows, ratio_rows
from pipeline.results import Absence, Verdict
from pipeline.rows import markdown_table, rich_table
from tests.measure.records import TUNED, result

OURS = result(schedule_sources=TUNED)
RIVAL = result(
    engine="onnxruntime", p50=5.0, verdict=Verdict.UNSTABLE, advice="rounds differ; stop the rest"
)
GONE = Absence(model=OURS.model, engine="openvino", threads=1, reason="not installed: no wheel")


def test_engines_are_compared_with_ours_fastest_first():
    cells = latency_rows([RIVAL, OURS]).cells
    assert [row[4] for row in cells] == ["shufflenet-tvm", "onnxruntime"]
    assert [row[11] for row in cells] == ["1.00", "2.50"]
    assert cells[0][5:11] == ("2.00", "2.20", "2.40", "500", "68.7", "50%")
    assert cells[0][13] == "31/4/0"
    assert cells[1][-1] == "UNSTABLE"


def test_another_number_of_threads_is_not_compared():
    cells = latency_rows([OURS, result(engine="torch", threads=2)]).cells
    assert [row[11] for row in cells] == ["1.00", ""]


def test_an_absent_engine_is_named_with_the_reason():
    cells = latency_rows([OURS], [GONE]).cells
    assert cells[1][0] == OURS.model
    assert cells[1][4] == "openvino"
    assert cells[1][-1] == "not installed: no wheel"
    assert len(cells[1]) == len(cells[0])


def test_the_time_ratio_stands_beside_the_ratio_of_multiply_adds():
    mobilenet = result("mobilenet-1.0", p50=8.0)
    elsewhere = result("mobilenet-1.0", engine="torch", p50=44.0)
    cells = ratio_rows([OURS, mobilenet, elsewhere]).cells
    assert cells == [
        (
            "mobilenet-1.0 : shufflenet-1.0x-g3",
            "224x224",
            "1",
            "shufflenet-tvm",
            "4.14",
            "4.00",
            "97%",
        )
    ]


def test_both_forms_hold_the_same_cells():
    rows = latency_rows([OURS, RIVAL], [GONE])
    console = Console(width=300, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(rich_table(rows))
    markdown = markdown_table(rows)
    for cell in (cell for row in rows.cells for cell in row):
        assert cell in capture.get()
        assert cell in markdown
    assert len(markdown.splitlines()) == 2 + len(rows.cells)
    assert len({line.count("|") for line in markdown.splitlines()}) == 1


def test_advice_names_what_was_not_steady():
    wide = RIVAL.model_copy(update={"threads": 2, "advice": "p90 is far off; stop the rest"})
    other = OURS.model_copy(update={"verdict": Verdict.THROTTLED, "advice": "slower; cool it"})
    assert advice([RIVAL, OURS, other, wide]) == [
        "UNSTABLE: stop the rest",
        f"  {RIVAL.model}, 224x224, onnxruntime, 1 thread: rounds differ",
        f"  {RIVAL.model}, 224x224, onnxruntime, 2 threads: p90 is far off",
        "THROTTLED: cool it",
        f"  {OURS.model}, 224x224, shufflenet-tvm, 1 thread: slower",
    ]
