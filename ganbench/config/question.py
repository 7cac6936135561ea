"""The question of a study that was made out of another one's."""

from typing import Any

from ganbench.config.marks import DEFAULT, Entry, Mark, Node, plain
from ganbench.config.merge import as_mapping

_ASKED = ("dataset", "factors", "design")
_MOST = 6
"""Factors, or arms, that are named; of more, the first are."""


def settle_question(before: Node, after: Node) -> Node:
    """Ask anew where what is asked about has changed, and the question has not.

    A question is about the data and about what is varied: with another ``dataset``, other
    ``factors`` or another ``design``, an inherited one would be answered by a report on
    something else.

    Parameters
    ----------
    before, after : Node
        The study that was extended or overridden, and what came of it.

    Returns
    -------
    Node
        ``after``, or a copy with a default question.
    """
    theirs, ours = before.value.get("question"), after.value.get("question")
    if ours is None or ours is not theirs or _asked(before) == _asked(after):
        return after
    mark = Mark(DEFAULT)
    question = Entry(mark, Node(_default(after), mark))
    return Node({**after.value, "question": question}, after.mark)


def _asked(study: Node) -> list[Any]:
    return [_section(study, key) for key in _ASKED]


def _section(study: Node, key: str) -> Any:
    entry = study.value.get(key)
    return plain(as_mapping(entry.node, (key,))) or {} if entry is not None else {}


def _default(study: Node) -> str:
    """Return a question about what is varied, and on which data, for any tree at all."""
    dataset, factors, design = _asked(study)
    name = dataset.get("name") if isinstance(dataset, dict) else None
    on = f" on {name}" if isinstance(name, str) else ""
    arms = design.get("arms") if isinstance(design, dict) else None
    if arms and isinstance(arms, list):
        kind, names = "arm", [str(arm.get("name")) for arm in arms if isinstance(arm, dict)]
    else:
        kind, names = "", [str(key) for key in factors] if isinstance(factors, dict) else []
    if not names:
        return f"How does the baseline do{on}, over seeds?"
    if len(names) == 1:
        return f"What difference does {f'the {kind} ' * bool(kind)}{names[0]} make{on}?"
    if len(names) > _MOST:
        names = [*names[: _MOST - 1], f"{len(names) - _MOST + 1} more"]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"What difference do {f'the {kind}s ' * bool(kind)}{listed} make{on}?"
