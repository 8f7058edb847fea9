"""What a report is made of: result files and profiles of one machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RequestError
from pipeline.profiling.records import Profile, ProfileFile, read_profiles
from pipeline.results import Absence, Environment, Result, ResultFile, read_results

PROFILE_KIND = "shufflenet-tvm profile"


@dataclass(frozen=True)
class Evidence:
    """All of several files; of a setting that several of them have, the last counts."""

    environments: tuple[Environment, ...]
    results: tuple[Result, ...]
    absent: tuple[Absence, ...]
    profiles: tuple[Profile, ...]

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
    """RequestError if a file is neither a result file nor a profile, or they differ in CPU."""
    files = [read_profiles(path) if _is_profile(path) else read_results(path) for path in paths]
    cpus = {file.environment.cpu for file in files}
    if len(cpus) > 1:
        raise RequestError(
            f"the files are from different CPUs ({', '.join(sorted(cpus))}); make one report each"
        )
    results = [file for file in files if isinstance(file, ResultFile)]
    profiles = [file for file in files if isinstance(file, ProfileFile)]
    return Evidence(
        environments=tuple(file.environment for file in files),
        results=tuple({one.setting: one for file in results for one in file.results}.values()),
        absent=tuple(one for file in results for one in file.absent),
        profiles=tuple({one.setting: one for file in profiles for one in file.profiles}.values()),
    )


def _is_profile(path: Path) -> bool:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False  # the reader of results says what is wrong
    return isinstance(content, dict) and content.get("kind") == PROFILE_KIND
