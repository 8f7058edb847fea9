"""What is shown while tuning: a line for the work at hand, and one that stays for each task."""

from pipeline.progress import Steps
from pipeline.tune.progress import NETWORKS
from pipeline.tuning import Progress, Tally


class TuningSteps(Steps):
    """The line of progress, told by the tuner."""

    def tell(self, progress: Progress) -> None:
        """A candidate was measured, or a task is decided on."""
        for line in progress.news:
            self.keep(line)
        if progress.task_finished:
            self.keep(f"task {progress.finished} of {progress.tasks}, {task_line(progress)}")
        share = progress.trials / progress.total if progress.total else None
        if progress.kind == NETWORKS:
            line = f"tiles compete in networks: {progress.trials} of {progress.total}"
            self.say(line, share, progress.seconds_left)
            return
        counts = f"{progress.kind}: {progress.trials} of {progress.total} trials"
        self.say(f"{counts}; {task_line(progress)}", share, progress.seconds_left)


def task_line(progress: Progress) -> str:
    """A task and the best that was found."""
    line = f"{progress.task}: {progress.task_trials} trials, {progress.task_failed} failed"
    if progress.best_seconds is not None:
        line += f"; best {progress.best_seconds * 1e6:.1f} us"
    if progress.best_gmacs:
        line += f", {progress.best_gmacs:.1f} GMAC/s"
    if progress.hand_seconds is not None:
        line += f"; by hand {progress.hand_seconds * 1e6:.1f} us"
    return line


def tally_lines(tally: Tally, seconds: float) -> list[str]:
    """What a run did, and what took the time."""
    lines = [f"measured {tally.measured} candidates, of which {tally.failed} failed"]
    if tally.stale:
        lines.append(f"{tally.stale} earlier ones count no more, as their programs have changed")
    if tally.rejected:
        lines.append(f"{tally.rejected} starting points do not fit this machine")
    lines.append(
        f"{seconds:.0f} s: building {tally.building:.0f} s beside measuring {tally.measuring:.0f}"
        f" s; waiting for builders {tally.waiting:.0f} s, searching {tally.searching:.0f} s"
    )
    return lines
