"""The commands, one a file: parse, call, print. What is heavy is imported by the one it is for."""
