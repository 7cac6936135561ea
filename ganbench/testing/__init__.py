"""What tests of plugins are made of: contracts to subclass, and tiny trials."""

from ganbench.testing.architecture import ArchitectureCase, ArchitectureContract
from ganbench.testing.case import TrickCase
from ganbench.testing.contract import TrickContract
from ganbench.testing.inspection import InspectionCase, InspectionContract
from ganbench.testing.objective import ObjectiveCase, ObjectiveContract
from ganbench.testing.tiny import BATCH, STEPS, differing, tiny_config, tiny_data, weights

__all__ = [
    "BATCH",
    "STEPS",
    "ArchitectureCase",
    "ArchitectureContract",
    "InspectionCase",
    "InspectionContract",
    "ObjectiveCase",
    "ObjectiveContract",
    "TrickCase",
    "TrickContract",
    "differing",
    "tiny_config",
    "tiny_data",
    "weights",
]
