"""Published figures, to set beside what is counted and measured here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperFigures:
    """What the authors report for 224x224 ImageNet.

    `million_macs` is in million multiply-adds, `top1_error` in percent (None: not published).
    """

    million_macs: int
    top1_error: float | None = None


FIGURES = {
    "shufflenet-0.5x-g3": PaperFigures(38, 43.2),
    "shufflenet-0.5x-g3-shallow": PaperFigures(40, 42.8),
    "shufflenet-0.5x-g4": PaperFigures(38, 41.6),
    "shufflenet-1.0x-g1": PaperFigures(143),
    "shufflenet-1.0x-g2": PaperFigures(140),
    "shufflenet-1.0x-g3": PaperFigures(137, 32.6),
    "shufflenet-1.0x-g4": PaperFigures(133),
    "shufflenet-1.0x-g8": PaperFigures(137, 32.4),
    "shufflenet-1.5x-g3": PaperFigures(292, 28.5),
    "shufflenet-2.0x-g3": PaperFigures(524, 26.3),
    "shufflenet-2.0x-g3-se": PaperFigures(527, 24.7),
    "mobilenet-0.25": PaperFigures(41, 49.4),
    "mobilenet-0.5": PaperFigures(149, 36.3),
    "mobilenet-0.75": PaperFigures(325, 31.6),
    "mobilenet-1.0": PaperFigures(569, 29.4),
    "alexnet": PaperFigures(720, 42.8),
    "googlenet": PaperFigures(1500, 31.3),
    "squeezenet-1.0": PaperFigures(833, 42.5),
    "vgg-16": PaperFigures(15300, 28.5),
}
