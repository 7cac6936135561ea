"""What tests of plugins are made of: contracts to subclass, and tiny trials."""

from ganbench.testing.case import TrickCase
from ganbench.testing.contract import TrickContract
from ganbench.testing.tiny import BATCH, STEPS, differing, tiny_config, tiny_data, weights

__all__ = [
    "BATCH",
    "STEPS",
    "TrickCase",
    "TrickContract",
    "differing",
    "tiny_config",
    "tiny_data",
    "weights",
]
