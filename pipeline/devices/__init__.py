"""Devices that run compiled code: this machine, or others behind a TVM RPC tracker.

    address.py    what a device is called on the command line
    tracker.py    which devices a tracker knows, and a free one of a key
    session.py    one device for a while: libraries, arrays, times
    probe.py      whether it runs code for a target, tried with a small kernel
    facts.py      what it is: cores, features, clock, temperature
    cores.py      which of its cores do the work
    deadline.py   work that ends when its time is over, whatever hangs

A remote call waits without end where a device falls silent, so whoever makes one does it in a
process that can be ended: through `deadline.within`, or in a worker with deadlines of its own.
"""
