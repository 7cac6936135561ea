"""Slips in a plugin class that would otherwise show in mid-training, or never."""

import difflib
import inspect
from typing import Any

NEAR = 0.9
"""How alike a method's name must be to a hook's to be taken for a slip."""


def method_slip(cls: type[Any], base: type[Any]) -> str | None:
    """Say what is wrong with the methods by which a class overrides its base's.

    A method that cannot be called with the base's arguments, and one whose name is next to a
    hook's: the first would fail in the first step, the second would never be called.

    Parameters
    ----------
    cls : type
        A subclass of ``base``.
    base : type
        One of the base classes of ``ganbench.plugin``.

    Returns
    -------
    str or None
        None if nothing is.
    """
    hooks = {name: value for name, value in vars(base).items() if _is_public_method(name, value)}
    for owner in cls.__mro__[: cls.__mro__.index(base)]:
        for name, value in vars(owner).items():
            if not _is_public_method(name, value):
                continue
            if name in hooks:
                if not _takes(value, list(inspect.signature(hooks[name]).parameters)):
                    return (
                        f"{name}{inspect.signature(value)} does not take the hook's arguments, "
                        f"expected {name}({', '.join(inspect.signature(hooks[name]).parameters)})"
                    )
            elif not hasattr(base, name):
                near = difflib.get_close_matches(name, hooks, n=1, cutoff=NEAR)
                if near:
                    return (
                        f"{name} is no hook, did you mean {near[0]!r}? "
                        "(begin the name of a helper with an underscore)"
                    )
    return None


def _is_public_method(name: str, value: object) -> bool:
    return inspect.isfunction(value) and not name.startswith("_")


def _takes(method: Any, arguments: list[str]) -> bool:
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError:
        return False
    return True
