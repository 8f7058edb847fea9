"""From a network to kernels for a GPU: chains of operators, packed weights, one CUDA graph."""
