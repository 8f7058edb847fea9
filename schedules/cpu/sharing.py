"""How the cores share the work of a kernel."""

from typing import Literal

# "strips" of rows, in each of which all stages run; or the "pixels" of one stage after the other;
# or each of the "stages" in a loop of its own over strips and blocks of vectors.
Sharing = Literal["strips", "pixels", "stages"]
