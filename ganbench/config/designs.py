"""A study's design, checked: that its kind, its factors and its seeds go together."""

from collections.abc import Mapping
from typing import Any

from ganbench.config.cells import check_arms
from ganbench.config.combinations import RESOLUTIONS, NoFractionError, fraction
from ganbench.config.levels import resolve_cell
from ganbench.config.model import AA_OFFSET, Design, shifted_seed
from ganbench.config.problems import Problem
from ganbench.config.setting import Setting, clashes
from ganbench.config.spaces import SEARCH_KEYS, check_search
from ganbench.plugin import Host

FEWEST = {"leave-one-out": 1, "pairs": 2, "factorial": 2, "fractional": 3}
"""Factors without which a kind of design makes no sense."""
TWO_LEVELS = {
    "fractional": "one to compare; more levels take `kind: factorial`",
    "leave-one-out": "the one that is left out in turn",
}
"""Kinds of design whose factors have two levels, and what the second is for."""


_SEARCHLESS = {key: Design(kind="arms").model_dump(mode="json")[key] for key in SEARCH_KEYS}


def check_design(
    raw: Mapping[str, Any], setting: Setting, host: Host, sound: bool, resolved: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    """Validate a design.

    Parameters
    ----------
    raw : mapping
        The study as it stands in its file.
    setting : dict
        The baseline, resolved.
    sound : bool
        Whether the baseline is right.
    resolved : mapping
        The study so far: its ``design`` with the defaults, its ``factors``.

    Returns
    -------
    dict
        The resolved design.
    list of Problem
    """
    given = raw.get("design")
    given = given if isinstance(given, dict) else {}
    design = resolved["design"]
    kind = given["kind"] if isinstance(given.get("kind"), str) else design["kind"]
    arms, problems = check_arms(given.get("arms", []), setting, host, sound)
    if kind == "arms":
        problems += _listed(raw, given)
    elif arms:
        text = f"has no part in `kind: {kind}`; remove it, or write `kind: arms`"
        problems.append(Problem(("design", "arms"), text, at_key=True))
    if kind != "fractional" and given.get("resolution") is not None:
        text = f"has no part in `kind: {kind}`; remove it, or write `kind: fractional`"
        problems.append(Problem(("design", "resolution"), text, at_key=True))
    space: dict[str, Any] = {}
    if kind == "search":
        space, found = check_search(given, setting, host, raw.get("factors"))
        problems += found
    else:
        for key in SEARCH_KEYS:
            if key in given and given[key] != _SEARCHLESS[key]:
                text = f"has no part in `kind: {kind}`; remove it, or write `kind: search`"
                problems.append(Problem(("design", key), text, at_key=True))
    if kind in FEWEST:
        problems += _made_of_factors(kind, given, resolved["factors"])
    if kind == "leave-one-out" and sound and not problems:
        problems += _everything_on(resolved["factors"], setting, host)
    own = {key: value for key, value in design.items() if key not in SEARCH_KEYS}
    own["arms"] = arms
    if kind == "search":
        own |= {key: design[key] for key in SEARCH_KEYS} | {"space": space}
    return own, problems


def check_aa(design: Mapping[str, Any], seeds: list[int]) -> list[Problem]:
    """Return a problem if the A/A arm's seeds are not all others than the study's."""
    if not design["aa"]:
        return []
    taken = {shifted_seed(seed, AA_OFFSET) for seed in seeds} & set(seeds)
    if not taken:
        return []
    text = (
        f"the A/A arm is trained with each seed plus {AA_OFFSET:,}, and {min(taken)} is among the "
        f"study's own; expected seeds that are not {AA_OFFSET:,} apart, or no `aa`"
    )
    return [Problem(("seeds",), text)]


def _listed(raw: Mapping[str, Any], given: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if given.get("arms", []) == []:
        text = "is missing: expected a list of arms, each with a name and what it sets"
        problems.append(Problem(("design", "arms"), text))
    if raw.get("factors"):
        text = (
            "has no part in `kind: arms`, whose arms are listed; remove it, or in a file "
            "that extends another write `factors: null`"
        )
        problems.append(Problem(("factors",), text, at_key=True))
    return problems


def _made_of_factors(
    kind: str, given: Mapping[str, Any], factors: Mapping[str, list[Any]]
) -> list[Problem]:
    """Check that there are the factors and levels that a kind of design is made of."""
    fewest = FEWEST[kind]
    if len(factors) < fewest:
        has = "none" if not factors else f"only {', '.join(factors)}"
        text = f"`kind: {kind}` needs at least {fewest} factors, and there is {has}"
        if fewest == 1:
            text = f"`kind: {kind}` needs a factor, and there is none"
        return [Problem(("factors",), text, at_key=True)]
    if kind not in TWO_LEVELS:
        return []
    problems = [
        Problem(
            ("factors", key),
            f"got {len(levels)} levels, expected two in `kind: {kind}`: the baseline's, and "
            f"{TWO_LEVELS[kind]}",
        )
        for key, levels in factors.items()
        if len(levels) > 2
    ]
    if kind != "fractional":
        return problems
    resolution = given.get("resolution")
    if resolution is None:
        text = (
            "is missing: expected III (main effects are mixed with interactions of two), IV "
            "(those are mixed with one another) or V (neither is)"
        )
        return [*problems, Problem(("design", "resolution"), text)]
    if not problems and isinstance(resolution, str) and resolution in RESOLUTIONS:
        try:
            fraction(len(factors), resolution)
        except NoFractionError as error:
            problems.append(Problem(("design", "resolution"), str(error)))
    return problems


def _everything_on(factors: Mapping[str, list[Any]], setting: Setting, host: Host) -> list[Problem]:
    """Check the arm that all others are compared with: it must apply."""
    if any(len(levels) < 2 for levels in factors.values()):
        return []  # Told at the factor.
    changes = {key: levels[1] for key, levels in factors.items()}
    cell = resolve_cell(setting, changes, host, {key: ("factors", key, 1) for key in changes})
    problems = [
        Problem(problem.path, f"with every factor on: {problem.text}", problem.at_key)
        for problem in cell.problems
    ]
    if cell.setting is not None:
        problems += [
            Problem(("design", "kind"), f"with every factor on: {reason}; leave one of them out")
            for _, reason in clashes(cell.setting, host)
        ]
    return problems
