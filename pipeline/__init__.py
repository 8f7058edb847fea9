"""From a PyTorch model to a number on a phone."""
