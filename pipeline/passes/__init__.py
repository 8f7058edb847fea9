"""From an imported graph to TensorIR functions, one pass a file, in phases that can be dumped."""
