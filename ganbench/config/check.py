"""A whole study, checked: every problem at once, and every default filled in."""

from collections.abc import Mapping
from typing import Any

from ganbench.config.cells import check_baseline, check_factors
from ganbench.config.designs import check_aa, check_design
from ganbench.config.model import (
    AA_OFFSET,
    AUTO_METRICS,
    Evaluation,
    Study,
    shifted_seed,
)
from ganbench.config.problems import Path, Problem, suggest
from ganbench.config.seeds import check_range, check_seeds, seeds_among
from ganbench.config.setting import (
    component_values,
    evaluation_values,
    resolve_component,
    resolve_setting,
)
from ganbench.config.spaces import check_tuning, check_tuning_seeds
from ganbench.config.words import validate
from ganbench.plugin import Host


def check_study(
    raw: Mapping[str, Any], host: Host, quick: bool = False
) -> tuple[dict[str, Any], list[Problem]]:
    """Validate a study and fill in its defaults.

    Parameters
    ----------
    raw : mapping
        The study as plain values, without ``extends``.
    host : Host
    quick : bool
        The study is about to be made quick: its evaluations need not fit into its steps yet.

    Returns
    -------
    dict
        The resolved study, in the shape of a study file; meaningless if there are problems.
    list of Problem
    """
    raw = _without_empty_sections(raw)
    static, problems = _check_fields(raw)
    resolved = _study_values(static)
    baseline = raw.get("baseline")
    setting, found = resolve_setting(baseline if isinstance(baseline, dict) else {}, host)
    if isinstance(baseline, dict):
        problems += [Problem(("baseline", *p.path), p.text, p.at_key) for p in found]
    sound = isinstance(baseline, dict) and not found
    if sound:
        problems += check_baseline(setting, host)
    resolved["baseline"] = setting
    resolved["factors"], found = check_factors(raw.get("factors") or {}, setting, host, sound)
    problems += found
    resolved["design"], found = check_design(raw, setting, host, sound and not found, resolved)
    problems += found
    resolved["seeds"], found = check_seeds(raw.get("seeds", resolved["seeds"]))
    problems += found
    if not found:
        seeds = seeds_among(resolved["seeds"])
        problems += check_aa(resolved["design"], seeds)
        problems += _check_tuning_seeds(raw, resolved["design"], seeds)
        problems += check_range(resolved["seeds"], raw, resolved["design"]["kind"])
    if isinstance(raw.get("tuning"), dict):
        space, found = check_tuning(raw, setting, host)
        problems += found
        resolved["tuning"] = {**(resolved["tuning"] or {}), "space": space}
    if "dataset" in raw:
        resolved["dataset"], found = resolve_component(
            "dataset", raw["dataset"], host, ("dataset",)
        )
        problems += found
    resolved["evaluation"], found = _check_evaluation(raw, host, resolved["evaluation"])
    problems += found
    if not quick:
        problems += _check_steps(raw, setting, problems)
    if "every" not in (raw.get("evaluation") or {}) and isinstance(setting.get("steps"), int):
        # A default that fits: a study of few steps is measured at its end.
        usual = resolved["evaluation"]["every"]
        resolved["evaluation"]["every"] = max(1, min(usual, setting["steps"]))
    told = [name for name in Study.model_fields if resolved[name] is not None]
    return {name: resolved[name] for name in told}, problems


def _check_tuning_seeds(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], seeds: list[int]
) -> list[Problem]:
    design, tuning = raw.get("design"), raw.get("tuning")
    also = {}
    if resolved["aa"]:
        also = {shifted_seed(seed, AA_OFFSET): "the A/A arm" for seed in seeds}
    problems = []
    if isinstance(design, dict) and design.get("kind") == "search":
        problems += check_tuning_seeds(("design",), design.get("seeds"), seeds, also)
    if isinstance(tuning, dict):
        problems += check_tuning_seeds(("tuning",), tuning.get("seeds"), seeds, also)
    return problems


def _without_empty_sections(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Take an empty section, all its keys commented out, for one that is not there."""
    sections = ("design", "evaluation", "tuning")
    study = {k: item for k, item in raw.items() if item is not None or k not in sections}
    evaluation = study.get("evaluation")
    if isinstance(evaluation, dict):
        study["evaluation"] = {
            k: item for k, item in evaluation.items() if item is not None or k != "judgement"
        }
    return study


def _check_fields(raw: Mapping[str, Any]) -> tuple[Study | None, list[Problem]]:
    """Validate all that is neither a plugin's nor checked on its own."""
    fields = {key: value for key, value in raw.items() if key not in ("seeds", "factors")}
    if "dataset" in raw:
        fields["dataset"] = "any"
    if isinstance(raw.get("baseline"), dict):
        fields["baseline"] = {"architecture": "any"}
    if isinstance(evaluation := raw.get("evaluation"), dict):
        fields["evaluation"] = evaluation = dict(evaluation)
        evaluation.pop("extractor", None)
        for name in ("metrics", "inspections"):
            if isinstance(evaluation.get(name), list):
                evaluation[name] = ["any" for _ in evaluation[name]]
    if isinstance(design := raw.get("design"), dict) and isinstance(design.get("arms"), list):
        arms = [{**arm, "set": {}} if isinstance(arm, dict) else arm for arm in design["arms"]]
        fields["design"] = {**design, "arms": arms}
    for section in ("design", "tuning"):
        if isinstance(fields.get(section), dict) and "space" in fields[section]:
            fields[section] = {**fields[section], "space": {}}
    return validate(Study, fields)


def _study_values(study: Study | None) -> dict[str, Any]:
    """Return the fields that a valid study has; stand-ins for one that is not."""
    if study is None:
        study = Study.model_validate(
            {"name": "x", "question": "x", "dataset": "x", "baseline": {"architecture": "x"}}
        )
    values = study.model_dump(mode="json")
    values["evaluation"] = evaluation_values(study.evaluation)
    return values


def _check_evaluation(
    raw: Mapping[str, Any], host: Host, evaluation: dict[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    given = raw.get("evaluation")
    given = given if isinstance(given, dict) else {}
    at: Path = ("evaluation",)
    default = Evaluation()
    extractor, problems = resolve_component(
        "extractor",
        given.get("extractor", component_values(default.extractor)),
        host,
        (*at, "extractor"),
    )
    listed = given.get("metrics", "auto")
    automatic = listed == "auto"
    entries = [component_values(metric) for metric in AUTO_METRICS] if automatic else listed
    metrics, figures = [], dict[str, str]()
    lower: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        place: Path = (*at, "metrics", index)
        metric, found = resolve_component("metric", entry, host, place)
        problems += found
        metrics.append(metric)
        if not metric:
            continue
        cls = host.find("metric", metric["name"]).cls
        lower |= set(cls.lower_is_better)
        if cls.extractors and extractor and extractor["name"] not in cls.extractors:
            text = (
                f"{metric['name']!r} is defined with the extractor "
                f"{' or '.join(cls.extractors)}, got {extractor['name']!r}"
            )
            problems.append(Problem(place, text))
        for figure in cls.figures:
            if figure in figures:
                text = f"gives the figure {figure!r}, which {figures[figure]} gives already"
                problems.append(Problem(place, text))
                break
            figures[figure] = f"evaluation.metrics.{index}"
    primary = given.get("primary", default.primary)
    fit = [figure for figure in figures if figure in lower]
    if isinstance(primary, str) and primary not in figures and not problems:
        problems.append(Problem((*at, "primary"), _not_a_figure(primary, figures, fit, host)))
    elif isinstance(primary, str) and primary not in lower and not problems:
        problems.append(Problem((*at, "primary"), _not_lower(primary, fit)))
    chosen = "auto" if automatic else metrics
    inspections, found = _check_inspections(given.get("inspections", default.inspections), host)
    resolved = {"extractor": extractor, "metrics": chosen, "inspections": inspections}
    return {**evaluation, **resolved}, [*problems, *found]


def _check_inspections(listed: Any, host: Host) -> tuple[Any, list[Problem]]:
    if not isinstance(listed, list):  # `auto`, or what is told of already
        return "auto", []
    inspections: list[dict[str, Any] | None] = []
    problems: list[Problem] = []
    for index, entry in enumerate(listed):
        place: Path = ("evaluation", "inspections", index)
        inspection, found = resolve_component("inspection", entry, host, place)
        problems += found
        named = [other["name"] for other in inspections if other]
        if inspection and inspection["name"] in named:
            problems.append(Problem(place, f"{inspection['name']!r} is listed twice"))
        inspections.append(inspection)
    return inspections, problems


def _not_lower(primary: str, fit: list[str]) -> str:
    return f"got {primary!r}, which is not declared as lower is better, as verdicts need; " + (
        f"figures that are: {', '.join(fit)}" if fit else "no metric of the study gives one"
    )


def _not_a_figure(primary: str, figures: Mapping[str, str], fit: list[str], host: Host) -> str:
    for metric in host.all("metric"):
        if primary in metric.cls.figures:
            if primary not in metric.cls.lower_is_better:
                return _not_lower(primary, fit)
            return f"the figure {primary!r} needs {metric.name!r} among evaluation.metrics"
    return f"no metric of the study gives a figure {primary!r}{suggest(primary, figures)}"


def _check_steps(
    raw: Mapping[str, Any],
    setting: Mapping[str, Any],
    problems: list[Problem],
) -> list[Problem]:
    told = {problem.path for problem in problems}
    if ("baseline", "steps") in told or ("evaluation", "every") in told or "baseline" not in raw:
        return []
    given = raw.get("evaluation")
    if not isinstance(given, dict) or "every" not in given:
        return []
    every, steps = given["every"], setting["steps"]
    if isinstance(every, int) and every > steps:
        text = f"out of range, got {every}, expected at most baseline.steps, {steps}"
        return [Problem(("evaluation", "every"), text)]
    return []
