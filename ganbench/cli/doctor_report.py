"""What ``ganbench doctor`` prints."""

import textwrap
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from ganbench.evaluation.corruptions import CORRUPTIONS, FALLS, RISES
from ganbench.evaluation.testbench import Check, SelfTest
from ganbench.report.words import count, number
from ganbench.study.installation import Finding

MARKS = {
    "ok": ("✓", "green"),
    "missing": ("–", "dim"),
    "skipped": ("–", "dim"),
    "broken": ("✗", "bold red"),
    "wrong": ("✗", "bold red"),
}
NAME_WIDTH = 17
GROUP_WIDTH = 22
WIDEST = 110
ARROW = " → "


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the state of the installation, area by area; what is to be mended with its remedy."""
    console = Console(highlight=False)
    width = min(console.width, WIDEST)
    order = {area: place for place, area in enumerate(dict.fromkeys(f.area for f in findings))}
    for area, group in groupby(sorted(findings, key=lambda f: order[f.area]), lambda f: f.area):
        console.print(Text(area, "bold"))
        for finding in group:
            for line in _finding(finding, width):
                console.print(line, soft_wrap=True)


def _finding(finding: Finding, width: int) -> list[Text]:
    mark, style = MARKS[finding.state]
    margin = " " * (NAME_WIDTH + 4)
    first, *more = _wrapped(finding.text, width - len(margin))
    head = Text("  ").append(mark, style).append(f" {finding.name:<{NAME_WIDTH}}")
    if len(finding.name) >= NAME_WIDTH:
        lines = [head, Text(margin + first)]
    else:
        lines = [head.append(first)]
    lines += [Text(margin + line) for line in more]
    if finding.remedy:
        first, *more = _wrapped(finding.remedy, width - len(margin) - 5)
        label = "get: " if finding.state == "missing" else "fix: "
        lines.append(Text(margin + label, "bold").append(first, "not bold"))
        lines += [Text(f"{margin}     {line}") for line in more]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """Return lines of a width; what has no blank, such as a path, stays whole."""
    found = [
        piece
        for line in text.splitlines()
        for piece in textwrap.wrap(
            line, max(width, 20), break_on_hyphens=False, break_long_words=False
        )
    ]
    return found or [""]


def print_selftest(selftest: SelfTest, known: Check) -> None:
    """Print each check with its figures: real data first, then growing damage."""
    console = Console(highlight=False)
    width = min(console.width, WIDEST)
    console.print()
    console.print(Text("metrics", "bold"))
    about = (
        f"{selftest.data}, features of {selftest.extractor}: {selftest.reference:,} items are the "
        f"reference, draws of {selftest.samples:,} from {selftest.held_out:,} others the samples"
    )
    for line in _wrapped(about, width - 2):
        console.print(Text(f"  {line}", "dim"), soft_wrap=True)
    for _, checks in groupby([*selftest.checks, known], lambda check: check.group):
        own = list(checks)
        heading, note = _heading(own)
        console.print(Text(f"  {heading}", "bold"), soft_wrap=True)
        for line in _wrapped(note, width - 4) if note else []:
            console.print(Text(f"    {line}", "dim"), soft_wrap=True)
        for check in own:
            for text in _check(check, width, note):
                console.print(text, soft_wrap=True)
    if selftest.untested:
        untested = f"nothing is expected of: {', '.join(selftest.untested)}"
        for line in _wrapped(untested, width - 2):
            console.print(Text(f"  {line}", "dim"), soft_wrap=True)


def _heading(checks: Sequence[Check]) -> tuple[str, str]:
    """Return the heading of a group of checks, and what holds for all of them."""
    group = checks[0].group
    corruption = next((each for each in CORRUPTIONS if each.name == group), None)
    if corruption is not None and checks[0].figure:
        strengths = ARROW.join(f"{strength:g}" for strength in (0, *corruption.strengths))
        return f"{group}: {strengths}", corruption.unit
    texts = {check.text for check in checks}
    return group, texts.pop() if len(texts) == 1 else ""


def _check(check: Check, width: int, note: str) -> list[Text]:
    mark, style = MARKS[check.outcome]
    if not check.figure:
        return [Text("  ").append(mark, style).append(" not applicable", "dim")]
    name = check.figure + {None: "", RISES: " ↑", FALLS: " ↓"}[check.worse]
    line = Text("  ").append(mark, style).append(f" {name:<{GROUP_WIDTH}} ")
    lines = [line.append(_values(check))]
    if check.text != note and (check.worse is None or check.outcome == "wrong"):
        margin = " " * (GROUP_WIDTH + 5)
        lines += [
            Text(f"{margin}{part}", "dim") for part in _wrapped(check.text, width - len(margin))
        ]
    return lines


def _values(check: Check) -> str:
    shown = [number(value) for value in check.values]
    if check.outcome == "skipped":
        return "left out"
    if check.group == "real against real":
        return f"{shown[0]}, draws from {shown[1]} to {shown[2]}"
    return ARROW.join(shown)


def print_summary(
    findings: Sequence[Finding], selftest: SelfTest | None, known: Check | None, study: str
) -> None:
    """Print in one line whether anything is broken, and above it what is told of a study."""
    console = Console(highlight=False)
    checks = [*(selftest.checks if selftest else ()), *([known] if known else [])]
    wrong = sum(check.outcome == "wrong" for check in checks)
    broken = sum(finding.state == "broken" for finding in findings)
    right = sum(check.outcome == "ok" for check in checks)
    parts = [f"{count(broken, 'thing')} broken" if broken else "nothing is broken"]
    if checks:
        parts.append(f"{right} of {count(right + wrong, 'check')} of the metrics passed")
    style = "bold red" if broken or wrong else "bold green"
    console.print()
    if study:
        console.print(Text(study, "bold"), soft_wrap=True)
    console.print(Text("; ".join(parts), style), soft_wrap=True)
