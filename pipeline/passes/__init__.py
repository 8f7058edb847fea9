"""Passes from a Relax module to a Relax module, one a file."""
