"""Plugins as a command line names them: ``mnist``, or ``{name: mnist, size: 32}``."""

from pydantic import TypeAdapter, ValidationError

from ganbench.config.marks import parse, plain
from ganbench.config.model import Component, ComponentField
from ganbench.config.problems import dotted
from ganbench.config.words import validate
from ganbench.plugin import GanbenchError, Host, Kind

_ADAPTER: TypeAdapter[Component] = TypeAdapter(ComponentField)


def read_component(text: str, option: str, kind: Kind, host: Host) -> Component:
    """Return the plugin that YAML on the command line names.

    Parameters
    ----------
    text : str
    option : str
        Such as ``--dataset``, for the message.
    kind : str
    host : Host

    Raises
    ------
    GanbenchError
        If it is no YAML, or names no plugin of that kind, or the plugin does not take these
        parameters.
    """
    node, problems = parse(text, option, lines=False)
    if node is None or problems:
        raise GanbenchError("\n".join(problems) or f"{option}: is empty")
    try:
        component = _ADAPTER.validate_python(plain(node))
    except ValidationError as error:
        raise GanbenchError(
            f"{option} {text}: expected a name, or such as '{{name: mnist, size: 32}}'"
        ) from error
    cls = host.find(kind, component.name).cls
    _, found = validate(cls.Parameters, dict(component.parameters), (component.name,))
    if found:
        raise GanbenchError(
            "\n".join(f"{option}: {dotted(problem.path)}: {problem.text}" for problem in found)
        )
    return component
