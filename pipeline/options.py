"""From the words of a command line to values; a RequestError says what would have been right."""

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pipeline.devices.address import parse_device
from pipeline.errors import RequestError

LONGEST_SECONDS = 3600
UNITS = {"s": 1, "m": 60, "h": 3600}


def default_logs() -> Path:
    """The records that come with a checkout; an installed package looks where it is run."""
    root = Path(__file__).parent.parent
    return root / "tuning_logs" if (root / "pyproject.toml").is_file() else Path("tuning_logs")


def input_size(text: str) -> tuple[int, int]:
    """Height and width from "224x224"."""
    if re.fullmatch(r"\d{1,5}x\d{1,5}", text, re.ASCII) is None:
        raise RequestError(f"input size {text!r} is not HEIGHTxWIDTH, as in 224x224")
    height, width = text.split("x")
    return int(height), int(width)


# More than any device has; how many one has is not known here.
MOST_CORES = 64


def thread_counts(text: str, remote: bool = False) -> tuple[int, ...]:
    """Each number of threads once, from "1,2"; no more than this machine or a device may have."""
    words = text.split(",")
    if not all(re.fullmatch(r"\d{1,5}", word.strip(), re.ASCII) for word in words):
        raise RequestError(f"threads {text!r} is not a list of numbers, as in 1,2")
    cores = MOST_CORES if remote else len(os.sched_getaffinity(0))
    counts = tuple(dict.fromkeys(int(word) for word in words))
    for count in counts:
        if not 1 <= count <= cores:
            raise RequestError(f"{count} threads are out of range; there are {cores} cores")
    return counts


def batch_sizes(text: str) -> tuple[int, ...]:
    """Each batch size once, from "1,128"."""
    words = text.split(",")
    if not all(re.fullmatch(r"\d{1,5}", word.strip(), re.ASCII) for word in words):
        raise RequestError(f"batch {text!r} is not a list of numbers, as in 1,128")
    return tuple(dict.fromkeys(int(word) for word in words))


def single_batch(text: str) -> int:
    """The only batch size of these."""
    sizes = batch_sizes(text)
    if len(sizes) > 1:
        raise RequestError(f"batch {text!r}: one size at a time for a CPU, as in --batch 1")
    return sizes[0]


def clock(ghz: float | None) -> float | None:
    """A clock in GHz."""
    if ghz is not None and not 0.1 <= ghz <= 10:
        raise RequestError(f"a clock of {ghz} GHz is out of range; give 0.1 to 10, as in 2.4")
    return ghz


def peer_names(text: str) -> list[str]:
    """Names from "torch,onnxruntime"; none for "none"."""
    return [] if text == "none" else [name.strip() for name in text.split(",")]


def subjects_or_suite(subjects: Sequence[str] | None, suite: str | None) -> list[str]:
    """What is to be measured; of a suite one name that stands for all of its networks."""
    if suite is not None and subjects:
        raise RequestError("--suite says what is measured; leave out the models, or the suite")
    if suite is not None:
        return [suite]
    if not subjects:
        raise RequestError(
            "say what to measure: names of shufflenet-tvm models, folders of compile, or --suite"
        )
    return list(subjects)


def seconds(value: float) -> float:
    """A time to measure for."""
    if not 0 < value <= LONGEST_SECONDS:
        raise RequestError(f"{value} seconds are out of range; use up to {LONGEST_SECONDS}")
    return value


def share(text: str) -> float:
    """A share from "3%"; 0 to 100 %, without its ends."""
    if re.fullmatch(r"\d{1,2}(\.\d{1,3})?%", text, re.ASCII) is None or not float(text[:-1]):
        raise RequestError(f"{text!r} is not a share above 0 and below 100 %, as in 3%")
    return float(text[:-1]) / 100


def mode(quick: bool, record: bool) -> Literal["standard", "quick", "record"]:
    """How long to measure."""
    if quick and record:
        raise RequestError("--quick and --record contradict each other; give one of them")
    return "quick" if quick else "record" if record else "standard"


def peer_trials(value: int) -> int:
    """Candidates that a peer may try."""
    return trials(value) or value


def trials(value: int | None) -> int | None:
    """Candidates to measure of a task."""
    if value is not None and value < 1:
        raise RequestError(f"{value} trials measure nothing; ask for 1 or more")
    return value


def image_count(value: int | None) -> int | None:
    """Images to score a network on."""
    if value is not None and value < 1:
        raise RequestError(f"{value} images say nothing; ask for 1 or more")
    return value


def duration(text: str | None) -> float | None:
    """Seconds from "90s", "20m" or "2h"."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,6}[smh]", text, re.ASCII) is None or int(text[:-1]) == 0:
        raise RequestError(f"time {text!r} is not a number and a unit, as in 90s, 20m or 2h")
    return float(text[:-1]) * UNITS[text[-1]]


def require_one(models: Sequence[object], out: Path | None) -> None:
    """RequestError if several models would go to one bundle."""
    if out is not None and len(models) > 1:
        raise RequestError("--out is one bundle; tune one model, or compile each afterwards")


def devices(text: str) -> tuple[str, ...]:
    """Where to measure, from "local" or addresses with commas between them."""
    words = tuple(word.strip() for word in text.split(","))
    for word in words:
        parse_device(word)
    return words


def require_package(name: str, extra: str) -> None:
    """RequestError if a package of one of the extras is not installed."""
    if find_spec(name) is None:
        raise RequestError(
            f"this needs the package {name}; install it with: pip install 'shufflenet-tvm[{extra}]'"
        )


def require_report(out: Path | None, readme: Path | None) -> None:
    """RequestError if nothing is to be made."""
    if out is None and readme is None:
        raise RequestError("say where the report goes: --out report.html, or --readme README.md")


def single_file(files: Sequence[Path]) -> Path:
    """The only one of these."""
    if len(files) > 1:
        raise RequestError("--readme shows one result file; give one of bench")
    return files[0]


def require_figures(markdown: Path | None, figures: Path | None) -> None:
    """RequestError if Markdown would link to figures that are not made."""
    if markdown is not None and figures is None:
        raise RequestError("--markdown links to figures; say where they go with --figures DIR")


def require_single(count: int, trace: Path | None) -> None:
    """RequestError if several profiles would go to one trace."""
    if trace is not None and count > 1:
        raise RequestError("--trace is of one model with one number of threads; give just those")


def cool_down(value: float) -> float:
    """Seconds of rest."""
    if not 0 <= value <= LONGEST_SECONDS:
        raise RequestError(f"{value} seconds are out of range; use 0 to {LONGEST_SECONDS}")
    return value


def require_no_peers(text: str | None) -> None:
    """RequestError if other engines are asked for on a device."""
    if text not in (None, "none"):
        raise RequestError("other engines run on this machine only; with --device, --peers none")


def result_file(path: Path | None) -> Path | None:
    """Where results can be written, checked before anything is measured."""
    if path is None:
        return None
    if path.is_dir():
        raise RequestError(f"{path} is a folder; give the name of a file to write")
    parent = path.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RequestError(f"no folder {parent} that can be written to; make it first")
    return path


def dump_folder(path: Path | None) -> Path | None:
    """Where the module of each phase can be written."""
    if path is not None and path.exists() and not path.is_dir():
        raise RequestError(f"{path} is a file; give the name of a folder")
    return path
