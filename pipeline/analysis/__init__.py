"""What the machine code of a network allows: loops, instructions, cycles, a bound on the time."""
