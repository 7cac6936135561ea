"""The plugins of an evaluation, created for the study's data or refused with a reason."""

from typing import Any

from pydantic import ValidationError

from ganbench.config.model import Component
from ganbench.plugin import Data, GanbenchError, Host, Kind
from ganbench.plugin.parameters import describe_invalid


class EvaluationError(GanbenchError):
    """An evaluation that cannot be done on these data; the message says what can."""


def create(kind: Kind, component: Component, host: Host) -> Any:
    """Return a plugin with its parameters.

    Raises
    ------
    EvaluationError
        If it takes other ones.
    """
    try:
        return host.create(kind, component.name, component.parameters)
    except ValidationError as error:
        raise EvaluationError(
            f"the {kind} {component.name!r} does not take these parameters: "
            f"{describe_invalid(error)}"
        ) from None


def create_fitting(kind: Kind, component: Component, data: Data, host: Host) -> Any:
    """Return a plugin that applies to the data.

    Raises
    ------
    EvaluationError
        If it does not, or takes other parameters; the message names those that do.
    """
    plugin = create(kind, component, host)
    fits, reason = plugin.applies(data)
    if not fits:
        raise EvaluationError(
            f"evaluation: the {kind} {component.name!r} does not apply to "
            f"{data.name}: {reason}; {_alternatives(kind, data, host)}"
        )
    return plugin


def _alternatives(kind: Kind, data: Data, host: Host) -> str:
    fitting = []
    for other in host.all(kind):
        try:
            plugin = host.create(kind, other.name)
        except ValidationError:
            continue
        if plugin.applies(data)[0]:
            fitting.append(other.name)
    if not fitting:
        return f"no {kind} does"
    if kind == "extractor":
        choices = " or ".join(f"`extractor: {name}`" for name in fitting)
        return f"write {choices} in the study's evaluation"
    return "those that do: " + ", ".join(fitting)
