"""What a report is made of: result files, profiles and ablations of one machine."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.ablation.records import Ablation, AblationFile, read_ablations
from pipeline.errors import RequestError
from pipeline.profiling.records import Profile, ProfileFile, read_profiles
from pipeline.result_files import read_results
from pipeline.results import Absence, Complexity, Environment, Result, ResultFile

READERS: dict[str, Callable[[Path], ProfileFile | AblationFile]] = {
    "shufflenet-tvm profile": read_profiles,
    "shufflenet-tvm ablation": read_ablations,
}


@dataclass(frozen=True)
class Evidence:
    """All of several files; of a setting that several of them have, the last counts."""

    environments: tuple[Environment, ...]
    results: tuple[Result, ...]
    absent: tuple[Absence, ...]
    profiles: tuple[Profile, ...]
    ablations: tuple[Ablation, ...] = ()
    complexity: tuple[Complexity, ...] = ()

    @property
    def threads(self) -> list[int]:
        """The numbers of threads that were measured."""
        return sorted({result.threads for result in self.results})

    @property
    def usual(self) -> list[Result]:
        """Results of one image of 224x224 with the fewest threads, as tables of papers are."""
        return [
            result
            for result in self.results
            if (result.batch, result.input_size) == (1, (224, 224))
            and result.threads == self.threads[0]
        ]


def read_evidence(paths: Sequence[Path]) -> Evidence:
    """RequestError if a file is none of bench, profile or ablate, or they differ in CPU."""
    files = [READERS.get(_kind(path), read_results)(path) for path in paths]
    cpus = {file.environment.cpu for file in files}
    if len(cpus) > 1:
        raise RequestError(
            f"the files are from different CPUs ({', '.join(sorted(cpus))}); make one report each"
        )
    results = [file for file in files if isinstance(file, ResultFile)]
    profiles = [file for file in files if isinstance(file, ProfileFile)]
    ablations = [file for file in files if isinstance(file, AblationFile)]
    counted = {one.model: one for file in results for one in file.complexity}
    return Evidence(
        environments=tuple(file.environment for file in files),
        results=tuple({one.setting: one for file in results for one in file.results}.values()),
        absent=tuple(one for file in results for one in file.absent),
        profiles=tuple({one.setting: one for file in profiles for one in file.profiles}.values()),
        ablations=tuple(
            {one.setting: one for file in ablations for one in file.ablations}.values()
        ),
        complexity=tuple(counted.values()),
    )


def _kind(path: Path) -> str:
    """What a file says it is; of a result file, or where it cannot be read, nothing."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ""  # the reader of results says what is wrong
    return str(content.get("kind", "")) if isinstance(content, dict) else ""
