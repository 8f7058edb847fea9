"""Right answers of two engines on the same images, and how often they agree."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from pipeline.check import Array, relative_error
from pipeline.results import Record

BEST = 5
SURE = 0.95


class Share(Record):
    """Right answers out of all, with the 95 % interval (Wilson) of what more images would show."""

    right: int
    share: float
    low: float
    high: float


class EngineScore(Record):
    """Right with the first answer, and with one of the first five."""

    engine: str
    top1: Share
    top5: Share


class AccuracyFile(Record):
    """What `accuracy --json` writes; `agreement` is the share of the same first answers."""

    model: str
    data: str
    images: int
    classes: int
    weights: str | None
    input_size: tuple[int, int]
    scores: list[EngineScore]
    agreement: float
    max_relative_error: float


@dataclass
class Answers:
    """Counts over the batches so far."""

    images: int = 0
    top1: int = 0
    top5: int = 0

    def add(self, logits: Array, labels: Array) -> None:
        """Logits [batch, classes] and the right classes [batch]; not a number is never right."""
        best = np.argsort(-np.nan_to_num(logits, nan=-np.inf), axis=-1, kind="stable")[:, :BEST]
        found = best == labels[:, None]
        self.images += len(labels)
        self.top1 += int(found[:, 0].sum())
        self.top5 += int(found.any(axis=1).sum())

    def score(self, engine: str) -> EngineScore:
        """The shares of all images."""
        return EngineScore(
            engine=engine, top1=share(self.top1, self.images), top5=share(self.top5, self.images)
        )


@dataclass
class Agreeing:
    """How two engines compare over the batches so far."""

    same: int = 0
    error: float = 0.0

    def add(self, logits: Array, reference: Array) -> None:
        """Logits [batch, classes] of both."""
        self.same += int((logits.argmax(-1) == reference.argmax(-1)).sum())
        self.error = max(self.error, relative_error(logits, reference))


def share(right: int, images: int) -> Share:
    """So many of so many."""
    interval = binomtest(right, images).proportion_ci(SURE, method="wilson")
    return Share(right=right, share=right / images, low=interval.low, high=interval.high)
