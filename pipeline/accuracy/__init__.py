"""How often a network is right on labelled images, in PyTorch and compiled."""
