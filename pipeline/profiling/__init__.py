"""Where the time of a network goes: kernel by kernel, tied to the PyTorch modules they are of."""
