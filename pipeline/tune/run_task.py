"""Tuning one task: measure candidates up to the budget, then the best ones again, in turns."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, prod
from pathlib import Path
from statistics import median

from pipeline.errors import WorkFailedError
from pipeline.records import Records, canonical
from pipeline.targets import Target
from pipeline.tasks import Task
from pipeline.tune.bench import Bench, CandidateError
from pipeline.tune.journal import Final, Journal, Trial, task_key
from pipeline.tune.progress import Budget
from pipeline.tune.ranking import Ranking
from pipeline.tune.search import Search, winner
from pipeline.tune.space import StageSpace, StripSpace, TileFields, space_of

# Times that each finalist is measured anew, one after the other.
ROUNDS = 3


@dataclass(frozen=True)
class Setting:
    """What all tasks of a run share."""

    target: Target
    bench: Bench
    journal: Journal
    budget: Budget
    seed: int


class TaskRun:
    """The candidates of one task: measured before, measured here, and the outcome."""

    def __init__(self, setting: Setting, task: Task, records: Records) -> None:
        self.setting, self.task = setting, task
        space = space_of(task, setting.target, records)
        self.space = space
        recorded = records.by_key.get(canonical(task.workload))
        first = [recorded.tile] if recorded and recorded.tile in space.tiles else []
        self.key = _key(task, space)
        size = len(space.tiles)
        self.total = size if task.kind == "strips" else int(min(setting.budget.limit, size))
        self.search = Search(space, first, self._ranking(), setting.seed)
        for trial in setting.journal.trials[self.key]:
            self.search.add(trial)
        self._opened = False

    @property
    def left(self) -> int:
        """How many candidates are to be measured yet."""
        return max(self.total - len(self.search.trials), 0)

    def measure(self, over: Callable[[], bool], told: Callable[[], None]) -> None:
        """Measure candidates until there are none or the time is over, but one at least."""
        while self.left and not (self.search.trials and over()):
            for tile in self.search.batch(self.left):
                trial = self._attempt(tile)
                self.setting.journal.add(trial)
                self.search.add(trial)
                told()
                if over():
                    break

    def outcome(self) -> Final:
        """The winner among the best and the hand tile; WorkFailedError if no candidate is valid."""
        self._require_valid()
        finalists = self.search.finalists()
        final = self.setting.journal.finals.get(self.key)
        if final is not None and final.trials == len(self.search.trials):
            return final
        final = self._decided(self._again(finalists) if len(finalists) > 1 else finalists)
        self.setting.journal.add(final)
        return final

    def interrupted(self) -> Final | None:
        """The winner as far as it is known."""
        return self._decided(self.search.valid) if self.search.valid else None

    def _decided(self, trials: list[Trial]) -> Final:
        seconds = {canonical(trial.tile): trial.seconds or inf for trial in trials}
        tiles = {canonical(trial.tile): trial.tile for trial in trials}
        hand = canonical(self.space.hand)
        tile, best = winner(seconds, hand, tiles)
        return Final(self.key, len(self.search.trials), tile, best, seconds.get(hand))

    def _again(self, finalists: list[Trial]) -> list[Trial]:
        """The finalists with the median of times taken in turns; who fails is out."""
        self._open()
        taken: list[list[Trial]] = [[] for _ in finalists]
        libraries = [self._built(trial.tile) for trial in finalists]
        for _ in range(ROUNDS):
            for index, trial in enumerate(finalists):
                taken[index].append(self._attempt(trial.tile, libraries[index]))
        again = []
        for trials in taken:
            seconds = [trial.seconds for trial in trials if trial.seconds is not None]
            if len(seconds) == ROUNDS:
                again.append(_with_seconds(trials[0], median(seconds)))
        if not again:
            raise WorkFailedError(f"{self.task.name}: every finalist failed when measured again")
        return again

    def _attempt(self, tile: TileFields, library: Path | str | None = None) -> Trial:
        """Measure a candidate; its failure is a result. `library` is a failure if it is a text."""
        self._open()
        seconds, failure = None, None
        library = library or self._built(tile)
        if isinstance(library, str):
            failure = library
        else:
            try:
                seconds = self._mean(self.setting.bench.seconds(library, self._threads))
            except CandidateError as error:
                failure = str(error)
        return Trial(self.key, tile, seconds, failure, self.setting.seed)

    def _built(self, tile: TileFields) -> Path | str:
        """The library of a candidate, or why there is none."""
        try:
            return self.setting.bench.build(self.space.function(tile))
        except Exception as error:  # noqa: BLE001 - schedule, compiler and linker document no errors
            lines = str(error).strip().splitlines() or [type(error).__name__]
            return f"could not be built: {lines[0]}"

    def _ranking(self) -> Ranking | None:
        """The cost model; none where every candidate is measured anyhow."""
        exhaustive = self.total == len(self.space.tiles) and self.setting.budget.seconds is None
        if exhaustive or not isinstance(self.space, StageSpace):
            return None
        return Ranking(self.space.program, self.setting.target.tvm, self.setting.seed)

    @property
    def _threads(self) -> list[int]:
        """A tile is for one thread; strips are for one and for all, as one library serves both."""
        cores = self.setting.target.machine.cores
        return [cores, 1] if self.task.kind == "strips" and cores > 1 else [1]

    def _mean(self, seconds: list[float]) -> float:
        """The geometric mean: a tenth lost at one number of threads costs a tenth at the other."""
        return float(prod(seconds) ** (1 / len(seconds)))

    def _open(self) -> None:
        if not self._opened:
            self.setting.bench.open(self.task.kernel)
            self._opened = True

    def _require_valid(self) -> None:
        if self.search.valid:
            return
        cause = self.search.failed[0].failure
        raise WorkFailedError(
            f"{self.task.name}: none of {len(self.search.failed)} candidates is valid, the first"
            f" because: {cause}; to measure again, remove {self.setting.journal.path}"
        )


def _key(task: Task, space: StageSpace | StripSpace) -> str:
    """The name of a task in the journal: times of strips are true for the stages' tiles only."""
    tiles = space.stages if isinstance(space, StripSpace) else ()
    return task_key(canonical(task.workload), *(repr(tile) for tile in tiles))


def _with_seconds(trial: Trial, seconds: float) -> Trial:
    return Trial(trial.task, trial.tile, seconds, None, trial.seed)
