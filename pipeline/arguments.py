"""The options that several commands share, with their help."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.engines.registry import PEERS


def _model_names(incomplete: str) -> list[str]:
    """What a shell offers for the beginning of a name."""
    from pipeline.models import names

    return [name for name in names() if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A name of `shufflenet-tvm models`.", autocompletion=_model_names
    ),
]
Pattern = Annotated[
    str | None, typer.Argument(metavar="PATTERN", help="Of names, as 'mobilenet-*'.")
]
Models = Annotated[
    list[str],
    typer.Argument(metavar="MODEL", help="Names, as of `models`.", autocompletion=_model_names),
]
Subjects = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL_OR_BUNDLE",
        help="Names, or folders of compile.",
        autocompletion=_model_names,
    ),
]
SomeSubjects = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL_OR_BUNDLE",
        help="Names, or folders of compile.",
        autocompletion=_model_names,
    ),
]
SuiteName = Annotated[
    str | None,
    typer.Option(
        "--suite",
        metavar="NAME",
        help="Measure a set: paper, or shuffle.",
        autocompletion=lambda: ["paper", "shuffle"],
    ),
]
Subject = Annotated[
    str, typer.Argument(metavar="MODEL_OR_BUNDLE", help="A name, or a folder of compile.")
]
BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="What compile made.")]
TargetName = Annotated[
    str, typer.Option("--target", metavar="T", help="What to compile for; of GPUs also A,B.")
]
System = Annotated[
    str, typer.Option("--os", metavar="OS", help="What runs on it: linux or android.")
]
Dtype = Annotated[
    str, typer.Option(metavar="TYPE", help="Of weights and arithmetic: float32 or float16.")
]
Linker = Annotated[
    Path | None, typer.Option(metavar="CC", help="A C compiler to link with, as of an NDK.")
]
CudaCompiler = Annotated[
    str, typer.Option("--cuda-compiler", metavar="C", help="Of GPU code: auto, nvcc or nvrtc.")
]
Device = Annotated[
    str, typer.Option(metavar="D", help="Where to run: local, or rpc://HOST:PORT/KEY.")
]
Cores = Annotated[
    str, typer.Option("--cores", metavar="WHICH", help="Of a device: big, little or all.")
]
CoolDown = Annotated[
    float, typer.Option("--cool-down", metavar="S", help="Rest of a device before each model.")
]
Size = Annotated[str, typer.Option(metavar="HxW", help="Height and width of the image.")]
Batch = Annotated[int, typer.Option(metavar="N", help="Images in one inference.")]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A state dict: .safetensors, .pth or .pt.")
]
Classes = Annotated[int, typer.Option(metavar="N", help="Outputs of the classifier.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the weights, if no file is given.")]
Logs = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Tuning records.  [default: tuning_logs]")
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The bundle to make, or to replace.")]
OutAfter = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Compile when done.")]
DumpIr = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write the module after each phase there.")
]
Threads = Annotated[str, typer.Option(metavar="1,2", help="Numbers of threads, one by one.")]
Peers = Annotated[
    str | None,
    typer.Option(metavar="A,B", help=f"Of {', '.join(PEERS)}; or none.  [default: as the target]"),
]
Batches = Annotated[
    str | None,
    typer.Option("--batch", metavar="1,8", help="Images.  [default: 1; on GPUs 1,8,32,128]"),
]
PeerTrials = Annotated[
    int, typer.Option(metavar="N", help="Candidates that tvm-metaschedule tries, once.")
]
Seconds = Annotated[float, typer.Option(metavar="S", help="To measure one model for.")]
Quick = Annotated[
    bool, typer.Option("--quick", help="Stop when each median is known to 1 %, or after 30 s.")
]
ForRecord = Annotated[
    bool,
    typer.Option("--record", help="At least 1024 samples and 10 s of each engine, in 5 processes."),
]
LoadGen = Annotated[
    bool, typer.Option("--loadgen", help="Also by MLPerf LoadGen's single-stream mode, 10 s each.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write every sample there.")
]
TablesFile = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Write the tables there.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse kernels whose numbers are not tuned.")
]
OldFile = Annotated[Path, typer.Argument(metavar="OLD.json", help="Of bench --json, before.")]
NewFile = Annotated[Path, typer.Argument(metavar="NEW.json", help="Of bench --json, after.")]
FailAbove = Annotated[str, typer.Option(metavar="3%", help="A smaller change does not count.")]
EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="Whose times; or all.")]
ProfileJson = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write every kernel there.")
]
TraceFile = Annotated[
    Path | None, typer.Option("--trace", metavar="FILE", help="Write a trace for Perfetto.")
]
ResultFiles = Annotated[
    list[Path], typer.Argument(metavar="RESULT.json", help="Of bench or profile, --json.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--out", metavar="report.html", help="The page to make.")
]
ReadmeFile = Annotated[
    Path | None,
    typer.Option("--readme", metavar="FILE", help="Put tables between its <!-- results --> marks."),
]
FiguresFolder = Annotated[
    Path | None, typer.Option("--figures", metavar="DIR", help="Each figure as SVG and PNG, too.")
]
MarkdownFile = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Tables and links to --figures.")
]
ImageData = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="A folder of images for each class.")
]
ImageCount = Annotated[
    int | None, typer.Option("--images", metavar="N", help="So many of them, evenly spread.")
]
ThreadCount = Annotated[int, typer.Option("--threads", metavar="N", help="Of the compiled one.")]
StepNames = Annotated[
    str,
    typer.Option(
        metavar="A,B",
        help="Of fold, epilogue, shuffle, pack, layout, regions, tuning, schedules; or all.",
    ),
]
AblationJson = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write every sample there.")
]
AccuracyJson = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the scores there.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For a program.")]
Trials = Annotated[int | None, typer.Option(metavar="N", help="Candidates of a task, at most.")]
Time = Annotated[str | None, typer.Option(metavar="20m", help="For all tasks, as 90s, 20m or 2h.")]
