"""``ganbench report``: write a study's report again, from its ledger alone."""

from pathlib import Path

import click

from ganbench.cli import options


@click.command("report", epilog="\b\nExample:\n  ganbench report reports/tricks")
@click.argument("folder", type=click.Path(path_type=Path))
@options.plugins
@options.storage
def command(folder: Path, plugins: tuple[Path, ...], storage: str | None) -> None:
    """Write the report in FOLDER again, from the ledger that stands there.

    Nothing is trained; a study that is still running is reported as far as it is.
    """
    from rich.console import Console

    from ganbench.cli import words
    from ganbench.cli.plain import PlainMonitor
    from ganbench.cli.session import report_sections, shown
    from ganbench.cli.verdicts import print_verdicts
    from ganbench.plugin import Host
    from ganbench.report import write_report
    from ganbench.study.archive import read_results

    address = None
    if storage is not None:
        from ganbench.study.server import address_of

        address = address_of(storage)
    results = read_results(folder, address)
    sections = report_sections(Host(plugins), results, PlainMonitor())
    write_report(results, folder, sections)
    print_verdicts(results, Console(highlight=False))
    for line in words.trouble_lines(results):
        click.echo(line)
    click.echo(f"report: {shown(folder.absolute() / 'index.html')}")
