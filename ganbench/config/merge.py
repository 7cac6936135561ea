"""One study out of several sources: ``extends`` chains, and ``--set`` on top."""

from typing import Any

from ganbench.config.marks import Entry, Mark, Node, parse, plain
from ganbench.config.model import OPTIMIZER_KEYS
from ganbench.config.problems import Path, StudyError, dotted, quote

COMPONENTS: dict[Path, str] = {
    ("dataset",): "dataset",
    ("baseline", "architecture"): "architecture",
    ("baseline", "objective"): "objective",
    ("evaluation", "extractor"): "extractor",
}
"""Where a plugin is named, and its kind; ``evaluation.metrics`` is a list of them."""

_REMOVABLE: tuple[Path, ...] = (("factors",), ("baseline", "tricks"))
_OPTIMIZERS = tuple(("baseline", "optimizers", role) for role in ("generator", "discriminator"))


def merge(base: Node, child: Node, path: Path = ()) -> Node:
    """Lay ``child`` over ``base``: mappings key by key, anything else replaced.

    A component with another ``name`` replaces its parameters too; an optimizer with another
    ``name`` drops the inherited keys that its kind does not have. A factor or a trick set
    to null is removed.
    """
    base, child = as_mapping(base, path), as_mapping(child, path)
    if not isinstance(base.value, dict) or not isinstance(child.value, dict):
        return child
    entries = dict(_kept(base.value, child.value, path))
    for key, entry in child.value.items():
        if path in _REMOVABLE and entry.node.value is None and key in base.value:
            entries.pop(key, None)
        elif key in entries:
            entries[key] = Entry(entry.key, merge(entries[key].node, entry.node, (*path, key)))
        else:
            entries[key] = entry
    return Node(entries, child.mark)


def as_mapping(node: Node, path: Path) -> Node:
    """Spell ``architecture: mlp`` as ``architecture: {name: mlp}``."""
    if path in COMPONENTS and isinstance(node.value, str):
        return Node({"name": Entry(node.mark, node)}, node.mark)
    return node


def _kept(base: dict[str, Entry], child: dict[str, Entry], path: Path) -> dict[str, Entry]:
    """Return what is left of ``base`` once ``child`` may have given another name."""
    if "name" not in child:
        return base
    name = child["name"].node.value
    if path in COMPONENTS and "name" in base and base["name"].node.value != name:
        return {}
    if path in _OPTIMIZERS and isinstance(name, str) and name in OPTIMIZER_KEYS:
        keep = OPTIMIZER_KEYS[name] | {"name"}
        return {key: entry for key, entry in base.items() if key in keep or key in child}
    return base


def apply_set(root: Node, text: str) -> tuple[Node, list[str]]:
    """Apply one ``--set a.b=c``, where ``c`` is YAML.

    The last key is assigned; mappings on the way are made where they are missing, and a
    list is entered by index, from 0. Under ``factors`` and an arm's ``set`` the dots of a
    baseline path belong to one key.

    Raises
    ------
    StudyError
        If the text is not of that form, or leads through a value that has no keys.
    """
    source = f"--set {text}"
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts) or not key.isprintable():
        raise StudyError([f"{source}: expected a key, '=' and a value, such as baseline.steps=200"])
    if parts[0] == "extends":
        raise StudyError([f"{source}: `extends` stands in a file; it cannot be set"])
    node, problems = parse(value, source, lines=False)
    node = node or Node(None, Mark(source))
    return _assign(root, _whole_keys(parts), node, (), source), problems


def _whole_keys(parts: list[str]) -> list[str]:
    """Join the parts that make one factor's key again."""
    if parts[0] == "factors":
        start = 1
    elif parts[:2] == ["design", "arms"] and parts[3:4] == ["set"]:
        start = 4
    else:
        return parts
    end = next((i for i in range(start, len(parts)) if parts[i].isdecimal()), len(parts))
    return [*parts[:start], *([".".join(parts[start:end])] if end > start else []), *parts[end:]]


def _assign(node: Node, parts: list[str], value: Node, path: Path, source: str) -> Node:
    if not parts:
        return value
    node = as_mapping(node, path)
    # A trick that is simply on has no parameters yet; `on.real = 0.8` gives it one.
    if node.value is None or (node.value in (True, "on") and _is_trick_setting(path)):
        node = Node({}, Mark(source))
    head, rest = parts[0], parts[1:]
    if isinstance(node.value, list):
        return Node(_assign_item(node.value, head, rest, value, path, source), node.mark)
    if not isinstance(node.value, dict):
        raise StudyError(
            [f"{source}: {dotted(path)} is {quote(node.value)}, which has no key {head!r}"]
        )
    old = node.value.get(head)
    if not rest and path in _REMOVABLE and value.value is None and old is not None:
        return Node({key: item for key, item in node.value.items() if key != head}, node.mark)
    new = _assign(old.node if old else Node(None, Mark(source)), rest, value, (*path, head), source)
    entry = Entry(Mark(source) if old is None or not rest else old.key, new)
    if head == "name" and not rest:
        kept = _kept(node.value, {"name": entry}, path)
        return Node(
            {"name": entry, **{k: item for k, item in kept.items() if k != "name"}}, node.mark
        )
    return Node({**node.value, head: entry}, node.mark)


def _assign_item(
    items: list[Node], head: str, rest: list[str], value: Node, path: Path, source: str
) -> list[Node]:
    if not head.isdecimal() or int(head) >= len(items):
        span = f"0 to {len(items) - 1}" if items else "none, it is empty"
        raise StudyError(
            [f"{source}: {dotted(path)} is a list; expected an index ({span}), got {head!r}"]
        )
    index = int(head)
    changed = list(items)
    changed[index] = _assign(items[index], rest, value, (*path, index), source)
    return changed


def _is_trick_setting(path: Path) -> bool:
    return (path[:2] == ("baseline", "tricks") and len(path) == 3) or (
        path[:1] == ("factors",) and len(path) == 3
    )


def value_at(root: Node, *keys: str) -> Any:
    """Return the plain value at a path of mappings, None if it is not there."""
    for key in keys:
        if not isinstance(root.value, dict) or key not in root.value:
            return None
        root = root.value[key].node
    return plain(root)
