"""ShuffleNets that the paper does not have, to measure what one of its choices costs.

`-unshuffled` leaves out the channel shuffle, and so does not mix groups: it is for timing alone.
`-grouped-first` groups the first pointwise convolution too, which the paper leaves dense.
"""

from dataclasses import replace

from pipeline.models.shufflenet_plan import STAGE_2_CHANNELS, Plan, Variant, plan

WIDTH = 1.0
UNSHUFFLED, GROUPED_FIRST = "-unshuffled", "-grouped-first"


def studies() -> dict[str, Plan]:
    """Their plans by name, of every ShuffleNet 1.0x that has groups."""
    found = {}
    for groups in (count for count in STAGE_2_CHANNELS if count > 1):
        usual, name = plan(Variant(WIDTH, groups)), f"shufflenet-{WIDTH}x-g{groups}"
        found[name + UNSHUFFLED] = replace(usual, shuffled=False)
        found[name + GROUPED_FIRST] = replace(usual, grouped_first=True)
    return found


def usual_name(name: str) -> str:
    """The network of the paper that a study is of."""
    return name.removesuffix(UNSHUFFLED).removesuffix(GROUPED_FIRST)
