"""One file an engine: the part that runs in a process of its own. Others import nothing here."""
