"""A line on standard error that says what is being done and how long it will take.

It is drawn only when it is told something, so that nothing runs beside a timed round.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from pipeline.bench import Observer
    from pipeline.contest import Conditions

# How long an engine takes to load, before the first contest has shown it.
LOAD_SECONDS = 2.0


class Steps:
    """The line; use as a context manager, which removes it."""

    def __init__(self, console: Console) -> None:
        columns = TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[left]}")
        self._bar = Progress(
            *columns,
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str, share: float | None = None, seconds_left: float | None = None) -> None:
        """What is being done, which share of all is over, and how long the rest takes."""
        total = None if share is None else 1.0
        left = "" if seconds_left is None else f"{_duration(seconds_left)} left"
        self._bar.update(
            self._task, description=text, total=total, completed=share or 0.0, left=left
        )
        self._bar.refresh()

    def keep(self, text: str) -> None:
        """A line that stays."""
        self._bar.console.print(text, highlight=False, soft_wrap=True)


class Countdown:
    """Time left of contests of about `seconds` each, until it is known better."""

    def __init__(self, steps: Steps, seconds: float) -> None:
        self._steps, self._expected, self._seconds = steps, 1, seconds
        self._begun: list[float] = []
        self._name = ""

    def expect(self, contests: int) -> None:
        """How many there are in all."""
        self._expected = contests

    def begin(self, name: str, threads: int) -> None:
        """The next contest."""
        self._begun.append(time.monotonic())
        self._name = f"{name}, {threads} thread{'s' if threads > 1 else ''}"

    def step(self, text: str) -> None:
        """A step of the contest."""
        over = len(self._begun) - 1
        each = (self._begun[-1] - self._begun[0]) / over if over else self._seconds
        done = over + min((time.monotonic() - self._begun[-1]) / each, 0.99)
        share = done / self._expected
        self._steps.say(f"{self._name}: {text}", share, (self._expected - done) * each)


@contextmanager
def bench_steps(console: Console, conditions: "Conditions") -> Iterator["Observer"]:
    """An observer of a benchmark."""
    from pipeline.bench import Observer

    plan = conditions.plan
    engines = len(conditions.peers) + 3  # ours, and the loops that it is measured by
    loading = engines * plan.processes * (plan.warm_up_seconds + LOAD_SECONDS)
    seconds = plan.seconds + loading
    with Steps(console) as steps:
        countdown = Countdown(steps, seconds)
        told = countdown.expect, countdown.begin, countdown.step
        yield Observer(steps.say, steps.keep, *told)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
