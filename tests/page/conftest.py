"""Evidence as it might be measured, of all models, and a browser."""

import shutil
from contextlib import contextmanager

import pytest

from pipeline.ablation.records import Ablation, Without
from pipeline.ablation.steps import STEPS
from pipeline.models import names
from pipeline.models.studies import GROUPED_FIRST, UNSHUFFLED
from pipeline.page.evidence import Evidence
from pipeline.profiling.records import Call, EnergyNote, Profile
from pipeline.results import Complexity
from tests.measure.records import MACS, result, result_file

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ENGINES = ("shufflenet-tvm", "onnxruntime", "torch", "ncnn", "openvino")


def profile(model, calls=17):
    made = [
        Call(
            function=f"kernel{number}_depthwise_pointwise",
            path=f"features.stage1.unit{number}",
            paths=[f"features.stage1.unit{number}.dw_conv2"],
            operators=["Depthwise", "Pointwise"],
            output="28x28x240",
            source="tuned",
            ms=0.1 + 0.01 * number,
            macs=7_000_000,
            multiplies=7_000_000,
            edge_bytes=1_500_000 + 100_000 * number,
            register_bytes=9_000_000,
            far_bytes=0,
            dram_bytes=0,
        )
        for number in range(calls)
    ]
    return Profile(
        model=model, target="host", device="local", threads=1, batch=1, input_size=(224, 224),
        parameters=1_865_728, library_bytes=7_900_976, peak_activation_bytes=3_496_256,
        cache_bytes=32 << 20, whole_ms=sum(call.ms for call in made) * 1.02, peak_gmacs=58.9,
        bandwidth={"cache": 110.0, "DRAM": 15.0},
        energy=EnergyNote(cache_uj=300, dram_uj=0, arithmetic_uj=250), calls=made,
    )  # fmt: skip


def ablation(model="shufflenet-1.0x-g3"):
    """Each step as it might count."""
    slower = {"fold": 1.2, "shuffle": 1.05, "regions": 1.3, "schedules": 40.0}
    rows = [
        Without(
            step=step.name,
            what=step.what,
            without=step.without,
            regions=30,
            result=result(model, step.name, p50=2.0 * slower[step.name]),
        )
        for step in STEPS
        if step.name in slower
    ]
    absent = {"tiles tuned": "no kernel has a tuning record here"}
    return Ablation(whole=result(model), regions=20, rows=rows, absent=absent)


def of_the_paper():
    """The networks that the paper timed, at its larger sizes, and ShuffleNet without a shuffle."""
    for size, factor in (((480, 640), 6.1), ((720, 1280), 18.4)):
        for model, p50 in (("shufflenet-1.0x-g3", 2.0), ("mobilenet-1.0", 8.0)):
            yield result(model, p50=p50 * factor, input_size=size)
    for suffix in (UNSHUFFLED, GROUPED_FIRST):
        usual = result(p50=1.98)
        yield usual.model_copy(update={"model": usual.model + suffix})


@pytest.fixture(scope="session")
def evidence():
    """Every model of the zoo on five engines with 1 and 2 threads, profiles and an ablation."""
    results = [
        result(
            "mobilenet-1.0", engine, p50=(2.0 + number) * (1 + place) / threads,
            threads=threads, fraction_of_peak=0.8 / (1 + place),
        ).model_copy(update={"model": model, "macs": MACS["mobilenet-1.0"] // (1 + number % 9)})
        for number, model in enumerate(names())
        for place, engine in enumerate(ENGINES)
        for threads in (1, 2)
    ]  # fmt: skip
    profiles = (profile("shufflenet-1.0x-g3"), profile("mobilenet-1.0"))
    results += of_the_paper()
    counted = (
        Complexity(model="shufflenet-1.0x-g3", macs=137_460_672, parameters=1_865_728),
        Complexity(model="mobilenet-1.0", macs=568_740_352, parameters=4_231_976),
    )
    environments = (result_file(*results).environment,)
    return Evidence(environments, tuple(results), (), profiles, (ablation(),), counted)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium; install one with: apt-get install chromium-headless-shell")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def opened(browser, evidence, tmp_path_factory):
    """Opens the report in a window of a size; the page has what it said and asked for."""
    from pipeline.page.page import page

    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page(evidence), encoding="utf-8")

    @contextmanager
    def open_(width=1280, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        tab = context.new_page()
        tab.said, tab.asked = [], []
        tab.on("console", lambda message: tab.said.append(message.text))
        tab.on("pageerror", lambda error: tab.said.append(str(error)))
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.goto(file.as_uri())
        tab.wait_for_selector("body[data-drawn=yes]", timeout=30_000)
        yield tab
        context.close()

    open_.file = file
    return open_
