"""Plugins as a command line names them: ``mnist``, or ``{name: mnist, size: 32}``."""

from pydantic import TypeAdapter, ValidationError

from ganbench.config.marks import parse, plain
from ganbench.config.model import Component, ComponentField
from ganbench.plugin import GanbenchError

_ADAPTER: TypeAdapter[Component] = TypeAdapter(ComponentField)


def read_component(text: str, option: str) -> Component:
    """Return what YAML on the command line names.

    Parameters
    ----------
    text : str
    option : str
        Such as ``--dataset``, for the message.

    Raises
    ------
    GanbenchError
        If it is no YAML, or names no plugin.
    """
    node, problems = parse(text, option, lines=False)
    if node is None or problems:
        raise GanbenchError("\n".join(problems) or f"{option}: is empty")
    try:
        return _ADAPTER.validate_python(plain(node))
    except ValidationError as error:
        raise GanbenchError(
            f"{option} {text}: expected a name, or such as '{{name: mnist, size: 32}}'"
        ) from error
