"""Results as they might be measured."""

from pipeline.results import Environment, Latency, Result, ResultFile, Sources, Verdict

MACS = {"mobilenet-1.0": 568_740_352, "shufflenet-1.0x-g3": 137_460_672}


def result(model="shufflenet-1.0x-g3", engine="shufflenet-tvm", p50=2.0, **changes):
    fields = {
        "model": model,
        "engine": engine,
        "target": "host",
        "device": "local",
        "threads": 1,
        "batch": 1,
        "input_size": (224, 224),
        "dtype": "float32",
        "macs": MACS[model],
        "parameters": 1_865_728,
        "latency_ms": Latency(n=3, min=p50, p50=p50, p90=p50 * 1.1, p99=p50 * 1.2),
        "samples_ms": [p50, p50 * 1.1, p50 * 1.2],
        "rounds": [3],
        "gmacs_per_second": MACS[model] / 1e6 / p50,
        "fraction_of_peak": 0.5,
        "max_relative_error": 1e-6,
        "top1_agreement": 1.0,
        "verdict": Verdict.VALID,
    }
    return Result(**fields | changes)


def result_file(*results):
    environment = Environment(
        cpu="a CPU",
        cores=2,
        machine="x86_64",
        os="Linux",
        python="3.11",
        versions={"torch": "2.13.0"},
        load_average=0.1,
        frequency_mhz=None,
        date="2030-01-01T00:00:00+00:00",
        seeds={"weights": 0},
        fma_peak_gmacs={1: 45.3, 2: 90.0},
    )
    return ResultFile(environment=environment, results=list(results))


TUNED = Sources(tuned=31, hand=4, default=0)
