"""Times on a phone as the ShuffleNet paper publishes them (Zhang et al. 2017, table 8)."""

# Height and width of the images.
SIZES = ((224, 224), (480, 640), (720, 1280))
# Milliseconds an image on one core of a Snapdragon 820, in the order of SIZES.
SNAPDRAGON_820_MS = {
    "shufflenet-0.5x-g3": (15.2, 87.4, 260.1),
    "shufflenet-1.0x-g3": (37.8, 222.2, 684.5),
    "shufflenet-2.0x-g3": (108.8, 617.0, 1857.6),
    "alexnet": (184.0, 1156.7, 3633.9),
    "mobilenet-1.0": (110.0, 612.0, 1879.2),
}


def snapdragon_ms(model: str, size: tuple[int, int]) -> float | None:
    """The published time, if there is one."""
    times = SNAPDRAGON_820_MS.get(model)
    return times[SIZES.index(size)] if times and size in SIZES else None
