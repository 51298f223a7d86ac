"""Protocol ``sancodec``: kernels and activations that are searched for the smallest flithos.

The reconstruction is the paper's, with matched synthesis; what is searched is where kernels are
activated, how strongly, and the kernels themselves.
"""

from sancodec.training.pursuit.encoding import (
    Activations,
    EncodeConfig,
    Encoding,
    activation_maps,
    encode,
    reconstruct,
)
from sancodec.training.pursuit.learning import Iteration, LearnConfig, Learned, learn

__all__ = [
    "Activations",
    "EncodeConfig",
    "Encoding",
    "Iteration",
    "LearnConfig",
    "Learned",
    "activation_maps",
    "encode",
    "learn",
    "reconstruct",
]
