"""Training of SAN kernels with PyTorch; the only place that imports torch and onnx."""
