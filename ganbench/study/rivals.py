"""Two different studies under one name on a shared storage: refused, with what differs."""

from collections.abc import Mapping
from typing import Any

from ganbench.config.differences import SECTIONS, differing_settings
from ganbench.plugin import GanbenchError
from ganbench.study.ledger import Ledger

SETTINGS = "settings"
"""Attribute of an Optuna study: the settings that decide the numbers of all its arms."""
EXTENSIONS = (("baseline", "steps"),)
"""What may differ: longer trials extend a study as more arms and more seeds do."""


def claim_name(ledger: Ledger, study: Mapping[str, Any]) -> None:
    """Note a study's settings where its trials are to stand.

    Parameters
    ----------
    ledger : Ledger
    study : mapping
        The resolved study file.

    Raises
    ------
    GanbenchError
        If a study with other settings has its name.
    """
    own = {section: study[section] for section in SECTIONS}
    for attributes in ledger.descriptions():
        there = attributes.get(SETTINGS)
        if there is not None and (told := differing_settings(there, own, EXTENSIONS)):
            differences = "\n  ".join(told)
            raise GanbenchError(
                f"the storage holds another study of the name {ledger.definition.name}:\n"
                f"  {differences}\nGive this one another name: --set name=NAME"
            )
    ledger.describe({SETTINGS: own})
