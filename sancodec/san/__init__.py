"""Sparsely Activated Networks: kernels, activations, analysis and synthesis."""
