"""``ganbench compare``: two reports, or two folders of images, side by side."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.report.reading import SideBySide

EXAMPLES = """\b
Examples:
  ganbench compare reports/tricks reports/tricks-again
  ganbench compare reports/tricks reports/tricks-again --figure kl
  ganbench compare samples/ photographs/                    FID by Inception
  ganbench compare samples/ photographs/ --size 64 --metrics kid,prdc
  ganbench compare samples/ digits/ --extractor classifier  digits in class folders

\b
Of two reports, numbers that were measured differently are not compared: the
keys of the protocols that differ are told, and the exit code is 2.
"""


@click.command("compare", epilog=EXAMPLES)
@click.argument("first", metavar="A", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument(
    "second", metavar="B", type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option("--figure", metavar="NAME", help="Of two reports.  [default: A's primary figure]")
@click.option(
    "--extractor",
    metavar="YAML",
    help="Of two folders of images: in whose features.  [default: inception]",
)
@click.option(
    "--metrics",
    metavar="NAMES",
    default="",
    help="Of two folders: more than fid, such as kid,prdc.",
)
@click.option(
    "--size",
    type=click.IntRange(8, 64),
    metavar="N",
    help="Of two folders: crop and resize to N pixels.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for another program.")
@options.device
@options.data_root
@options.plugins
def command(
    first: Path,
    second: Path,
    figure: str | None,
    extractor: str | None,
    metrics: str,
    size: int | None,
    as_json: bool,
    device: str,
    data_root: Path | None,
    plugins: tuple[Path, ...],
) -> None:
    """Compare B with A: two report folders, or two folders of images.

    Of two reports: every arm that both have. Of two folders of images: the images of A as
    samples, those of B as the reference.
    """
    # Late, so that --help needs neither torch nor rich.
    from ganbench.report.reading import is_report, put_side_by_side, read_report

    reports = [is_report(folder) for folder in (first, second)]
    if any(reports) and not all(reports):
        one, other = (first, second) if reports[0] else (second, first)
        raise click.UsageError(f"{one} is a report, and {other} is none")
    if all(reports):
        if extractor or metrics or size:
            raise click.UsageError("--extractor, --metrics and --size are for folders of images")
        found = put_side_by_side(read_report(first), read_report(second), figure)
        sys.exit(_tell(found, first, second, as_json))
    if figure:
        raise click.UsageError("--figure is for reports")
    _score(first, second, extractor, metrics, size, as_json, device, data_root, plugins)


def _tell(found: "SideBySide", first: Path, second: Path, as_json: bool) -> int:
    from ganbench.plugin import GanbenchError
    from ganbench.report.machine import plain

    if as_json:
        content = {"comparable": not found.differences, **asdict(found)}
        click.echo(json.dumps(plain(content), indent=2, ensure_ascii=False))
        return 2 if found.differences else 0
    if found.differences:
        lines = "".join(
            f"\n  {each.key}\n    A: {each.first}\n    B: {each.second}"
            for each in found.differences
        ) + "".join(f"\n{note}" for note in found.notes)
        raise GanbenchError(
            f"the numbers of A, {first}, and B, {second}, were measured differently, and are not "
            f"compared; their protocols differ in{lines}"
        )
    from ganbench.cli.compare_report import print_reports

    print_reports(found, first, second)
    return 0


def _score(
    samples: Path,
    reference: Path,
    extractor: str | None,
    metrics: str,
    size: int | None,
    as_json: bool,
    device: str,
    data_root: Path | None,
    plugins: tuple[Path, ...],
) -> None:
    import torch

    from ganbench.cli.bar import Bar
    from ganbench.config.components import read_component
    from ganbench.data.load import data_root as usual
    from ganbench.evaluation.folders import score_folder
    from ganbench.plugin import Host
    from ganbench.study.compute import choose_devices, set_up_torch
    from ganbench.study.run_plan import cache_folder

    name = choose_devices(device)[0]
    set_up_torch(name)
    host = Host(plugins)
    named = [metric.strip() for metric in metrics.split(",") if metric.strip()]
    for metric in named:
        host.find("metric", metric)
    with Bar(quiet=as_json) as progress:
        score = score_folder(
            samples,
            reference,
            size,
            read_component(extractor or "inception", "--extractor", "extractor", host),
            named,
            host,
            usual() if data_root is None else data_root.absolute(),
            torch.device(name),
            cache_folder(),
            progress,
        )
    if as_json:
        content: dict[str, Any] = asdict(score)
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    from ganbench.cli.compare_report import print_folders

    print_folders(score, samples, reference)
