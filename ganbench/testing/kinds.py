"""Which kinds of plugins have a contract, and how one of them is set up for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganbench.plugin import Kind
from ganbench.testing.architecture import ARCHITECTURE_CHECKS, ArchitectureCase
from ganbench.testing.case import PluginCase, TrickCase, variant
from ganbench.testing.inspection import INSPECTION_CHECKS, InspectionCase
from ganbench.testing.objective import OBJECTIVE_CHECKS, ObjectiveCase
from ganbench.testing.result import Check, Result, results
from ganbench.testing.trick_checks import TRICK_CHECKS

CONTRACTS: Mapping[Kind, tuple[Check[Any], ...]] = {
    "trick": TRICK_CHECKS,
    "architecture": ARCHITECTURE_CHECKS,
    "objective": OBJECTIVE_CHECKS,
    "inspection": INSPECTION_CHECKS,
}
_CASES: Mapping[Kind, PluginCase] = {
    "trick": TrickCase(),
    "architecture": ArchitectureCase(),
    "objective": ObjectiveCase(),
    "inspection": InspectionCase(),
}


def check_plugin(kind: Kind, cls: type[Any], setup: Mapping[str, Any]) -> Iterator[Result]:
    """Check a plugin class in the set-up of a tiny trial.

    Parameters
    ----------
    kind : str
        One of `CONTRACTS`.
    cls : type
    setup : mapping
        Attributes of the kind's case, such as `TrickCase`, less the class itself.

    Raises
    ------
    NotApplicableError
        If a plugin declares that the set-up makes no sense.
    """
    return results(CONTRACTS[kind], variant(_CASES[kind], **{**setup, kind: cls}))
