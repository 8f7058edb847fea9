"""What a kernel costs beside its work."""

# From the end of a kernel to the begin of the next one in a graph, beside what a block needs to
# begin and end; fitted with the constants of `schedules.cuda.tiles` to times on an H200.
LAUNCH_SECONDS = 1.0e-6
