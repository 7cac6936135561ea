"""``ganbench merge``: put what several report folders hold of a study into one."""

from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  ganbench merge reports/tricks /media/other-machine/reports/tricks
  ganbench merge reports/all reports/seeds-0-4 reports/seeds-5-9 && ganbench report reports/all
"""


@click.command("merge", epilog=EXAMPLES)
@click.argument("into", type=click.Path(path_type=Path, file_okay=False))
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False)
)
def command(into: Path, sources: tuple[Path, ...]) -> None:
    """Copy the results in the report folders SOURCES, with their pictures, into the folder INTO.

    INTO may be new. Of two results of one trial the first one stands, and a difference is told.
    What was made on another kind of device, or with other versions, is kept beside.
    """
    from ganbench.report.words import count
    from ganbench.study.merging import merge, refuse_unlike

    refuse_unlike(into, sources)
    for source in sources:
        merged = merge(into, source)
        copied = count(merged.copied, "result")
        click.echo(f"{source}: {copied} copied, {merged.there} there already")
        if merged.left:
            left = count(merged.left, "result")
            click.echo(
                f"{source}: {left} left out: of searches that have trials of their own in {into}, "
                "and go on from those alone"
            )
        for line in merged.conflicts:
            click.echo(f"conflict: {line}; the first one stands")
    click.echo(f"the report: ganbench report {into}")
