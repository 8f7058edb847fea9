"""What is shown while tuning: a line for the task at hand, and one that stays for each before."""

from pipeline.progress import Steps
from pipeline.tuning import Progress


class TuningSteps(Steps):
    """The line of progress, told by the tuner."""

    _last: Progress | None = None

    def tell(self, progress: Progress) -> None:
        """A candidate was measured."""
        if self._last is not None and self._last.index != progress.index:
            self.keep(task_line(self._last))
        self._last = progress
        within = progress.trials / progress.total if progress.total else 1.0
        share = (progress.index - 1 + min(within, 1.0)) / progress.count
        self.say(task_line(progress), share, progress.seconds_left)


def task_line(progress: Progress) -> str:
    """A task and the best that was found."""
    counts = f"{progress.trials} of {progress.total} trials, {progress.failed} failed"
    best = ""
    if progress.best_seconds is not None:
        best = f"; best {progress.best_seconds * 1e6:.1f} us"
    if progress.best_gmacs:
        best += f", {progress.best_gmacs:.1f} GMAC/s"
    if progress.hand_seconds is not None:
        best += f"; by hand {progress.hand_seconds * 1e6:.1f} us"
    return f"task {progress.index} of {progress.count}, {progress.task}: {counts}{best}"
