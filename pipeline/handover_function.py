"""What the function is called in which cores wait for each other, and how often they do."""

FUNCTION = "handover"
# So many take some dozens of microseconds: many times the cost of a call.
WAITS = 256
