"""The file of an ablation: a program, and the same without each of its steps."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from pipeline.errors import RequestError
from pipeline.results import Environment, Record, Result


class Without(Record):
    """The program that lacks one step; `regions` are the loops of an inference on all cores."""

    step: str
    what: str
    without: str
    regions: int
    result: Result


class Ablation(Record):
    """One model with one number of threads; `absent` names the steps that could not be left out."""

    whole: Result
    regions: int
    rows: list[Without]
    absent: dict[str, str] = Field(default_factory=dict)

    @property
    def setting(self) -> tuple[object, ...]:
        """What two ablations must share to be of the same thing."""
        return self.whole.setting

    def times_slower(self, row: Without) -> float:
        """The time without a step over that of the whole."""
        return row.result.latency_ms.p50 / self.whole.latency_ms.p50


class AblationFile(Record):
    """All of one run of `ablate`, as `--json` writes it."""

    kind: Literal["shufflenet-tvm ablation"] = "shufflenet-tvm ablation"
    schema_version: Literal[1] = Field(default=1, alias="schema")
    environment: Environment
    ablations: list[Ablation]


def read_ablations(path: Path) -> AblationFile:
    """The content of an ablation; RequestError names the first thing that is wrong with it."""
    way_out = f"make one with: shufflenet-tvm ablate MODEL --json {path}"
    try:
        return AblationFile.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read an ablation from {path} ({error}); {way_out}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise RequestError(f"{path} is no ablation: {place}: {fault['msg']}; {way_out}") from error
