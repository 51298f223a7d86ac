"""Lossy residual layer: a wavelet of what the SAN layer leaves, quantised and context-mixed."""
