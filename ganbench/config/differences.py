"""In which settings two studies differ that decide the numbers of all their arms."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ganbench.config.model import Execution, Latent
from ganbench.config.problems import Path as Key
from ganbench.config.problems import dotted, quote

SECTIONS = ("dataset", "baseline", "evaluation")
CHANGE_NO_NUMBER = (("evaluation", "judgement"), ("evaluation", "primary"))


def differing_settings(
    there: Mapping[str, Any], here: Mapping[str, Any], extensions: Collection[Key] = ()
) -> list[str]:
    """Tell each setting that differs: ``baseline.steps is 100 there and 200 here``.

    Parameters
    ----------
    there, here : mapping
        Two resolved studies, or their dataset, baseline and evaluation.
    extensions : collection of paths
        Keys that may differ.
    """
    ours, theirs = dict(_settings(here)), dict(_settings(there))
    return [
        f"{dotted(key)} is {_told(theirs, key)} there and {_told(ours, key)} here"
        for key in theirs | ours
        if theirs.get(key) != ours.get(key) and key not in extensions
    ]


def _settings(study: Mapping[str, Any]) -> Iterator[tuple[Key, Any]]:
    baseline = study["baseline"]
    # As it was for a study that was filed before there were such keys.
    defaults = {"execution": Execution(), "latent": Latent()}
    filled = {
        key: model.model_dump(mode="json") | baseline.get(key, {})
        for key, model in defaults.items()
    }
    known = {**study, "baseline": {**baseline, **filled}}
    for section in SECTIONS:
        yield from _leaves(known[section], (section,))


def _leaves(value: Any, at: Key) -> Iterator[tuple[Key, Any]]:
    if at in CHANGE_NO_NUMBER:
        return
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*at, key))
    else:
        yield at, value


def _told(settings: Mapping[Key, Any], key: Key) -> str:
    return quote(settings[key], limit=30) if key in settings else "not set"
