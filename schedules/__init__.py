"""TensorIR programs and schedules of the operators of ShuffleNet and MobileNet.

Nothing here knows of models or of the rest of the pipeline: an operator is a workload record, the
program that computes it, and the function that gives the program its loop nest.
"""
