"""What a kernel costs beside its work."""

# From the end of a kernel to the begin of the next one in a graph; published figures for recent
# GPUs lie about here.
LAUNCH_SECONDS = 1.2e-6
