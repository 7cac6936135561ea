"""The plugins of an evaluation, created for the study's data or refused with a reason."""

from typing import Any

from pydantic import ValidationError

from ganbench.config.model import Component, Evaluation
from ganbench.plugin import Data, GanbenchError, Host, Kind, Metric
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
    return "those that do: " + ", ".join(fitting)


def choose_metrics(
    settings: Evaluation, data: Data, host: Host
) -> tuple[list[Metric], dict[str, str]]:
    """Return a study's metrics, and those of ``auto`` that do not apply, with the reason.

    Raises
    ------
    EvaluationError
        If one that is listed does not apply, two give one figure, or none gives the primary one
        with lower as better.
    """
    automatic = settings.metrics == "auto"
    metrics: list[Metric] = []
    left_out: dict[str, str] = {}
    for component in settings.candidates:
        if not automatic:
            metric = create_fitting("metric", component, data, host)
            named = settings.extractor.name
            if metric.extractors and named not in metric.extractors:
                raise EvaluationError(
                    f"evaluation: the metric {metric.name!r} is defined with the extractor "
                    f"{' or '.join(metric.extractors)}, and this study has {named}"
                )
            metrics.append(metric)
            continue
        metric = create("metric", component, host)
        fits, reason = metric.applies(data)
        if fits:
            metrics.append(metric)
        else:
            left_out[component.name] = reason
    givers: dict[str, str] = {}
    for metric in metrics:
        for figure in metric.figures:
            if figure in givers:
                raise EvaluationError(
                    f"evaluation.metrics: {givers[figure]!r} and {metric.name!r} both give "
                    f"the figure {figure!r}; list one of them once"
                )
            givers[figure] = metric.name
    primary = settings.primary
    if primary not in givers:
        also = "".join(f"; {name} is left out: {reason}" for name, reason in left_out.items())
        raise EvaluationError(
            f"evaluation.primary is {primary!r}, which no metric of the study "
            f"gives; they give {', '.join(sorted(givers))}{also}"
        )
    lower = {figure for metric in metrics for figure in metric.lower_is_better}
    if primary not in lower:
        raise EvaluationError(
            f"evaluation.primary is {primary!r}, which is not declared as lower is better, as "
            f"verdicts need; declared are {', '.join(sorted(lower)) or 'none'}"
        )
    return metrics, left_out
