"""Which kinds of plugins have a contract, and how one of them is set up for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganbench.plugin import Kind
from ganbench.testing.case import TrickCase, variant
from ganbench.testing.result import Check, Result, results
from ganbench.testing.trick_checks import TRICK_CHECKS

CONTRACTS: Mapping[Kind, tuple[Check[Any], ...]] = {"trick": TRICK_CHECKS}


def check_plugin(kind: Kind, cls: type[Any], setup: Mapping[str, Any]) -> Iterator[Result]:
    """Check a plugin class in the set-up of a tiny trial.

    Parameters
    ----------
    kind : str
        One of `CONTRACTS`.
    cls : type
    setup : mapping
        Attributes of a `TrickCase`, less ``trick``.

    Raises
    ------
    NotApplicableError
        If a plugin declares that the set-up makes no sense.
    """
    return results(CONTRACTS[kind], variant(TrickCase(), trick=cls, **setup))
