"""How often each engine is right, as a table."""

from pipeline.accuracy.score import AccuracyFile, Share
from pipeline.rows import Rows

HEADINGS = ("engine", "top-1", "95 % interval", "top-5", "95 % interval")


def accuracy_rows(scored: AccuracyFile) -> Rows:
    """A row for each engine."""
    cells: list[tuple[str, ...]] = [
        (score.engine, *_share_cells(score.top1), *_share_cells(score.top5))
        for score in scored.scores
    ]
    title = f"{scored.model}, {scored.images} images of {scored.classes} classes"
    return Rows(title, HEADINGS, cells)


def _share_cells(share: Share) -> tuple[str, str]:
    return f"{share.share:.2%}", f"{share.low:.1%} to {share.high:.1%}"
