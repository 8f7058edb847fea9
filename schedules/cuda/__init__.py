"""Kernels for NVIDIA GPUs: channels last, channels as threads, units as chains in one kernel.

A tensor is [pixels, channels], the pixels of all images in order. Neighbouring threads work on
neighbouring channels, so loads and stores of a warp are consecutive whatever the size of the map,
and a 7x7 map needs no padding to fill a warp, as it would with pixels as threads. A channel is an
index of the weights, which are packed at compile time: that is where the shuffle goes.
"""
