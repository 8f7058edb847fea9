"""The parts of tuning: candidates, their measurement in a process of its own, the journal."""
