"""The ``ganbench`` command: finds the subcommand's module only when it is called."""

import atexit
import importlib
import os
import sys

import click

from ganbench import __version__

COMMANDS = {
    "run": "Run a study, or go on with it, and write its report.",
    "worker": "Help with a study on a storage that machines share.",
    "launch": "Start a study's workers elsewhere, by a launcher such as slurm or ray.",
    "show": "Print a study file resolved, with the origin of each key.",
    "schema": "Print the JSON schema of study files, plugins' parameters included.",
    "plugins": "List the plugins, or show one's method card and parameters.",
    "new": "Write a plugin from a template: a trick, an architecture or an objective.",
    "check": "Check a plugin against its contract, and explain each result.",
    "doctor": "Say what is missing or broken here, and put the metrics to the test.",
    "compare": "Compare two reports, or two folders of images, if they can be.",
    "export": "Write samples of a trial as other programs read them.",
    "report": "Write a study's report again, from its ledger.",
    "merge": "Put what several report folders hold of a study into one.",
}


class _LazyGroup(click.Group):
    """Imports a subcommand's module on use: ``--help`` needs neither torch nor optuna."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"ganbench.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  ganbench run tricks --quick",
)
@click.version_option(__version__, prog_name="ganbench")
def cli() -> None:
    """Find out which GAN trick helps, by how much, how surely, and at what cost.

    A study file names a baseline, the factors to try and the seeds; `run` trains every arm
    at every seed, measures it, and writes a report with the verdicts.
    """


def main() -> None:
    """Run the command line; a user's error ends with its message and exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except Exception as error:
        from ganbench.plugin.errors import GanbenchError

        if not isinstance(error, GanbenchError):
            raise
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(str(error), err=True)
        sys.exit(2)


def program() -> None:
    """Be the ``ganbench`` of a shell: run the command line, and be gone at once."""
    codes: list[int] = []

    def leave() -> None:
        # To take PyTorch and its like apart, object by object, would take a second or two more.
        if codes:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(codes[0])

    atexit.register(leave)  # the first to be registered is the last to be called
    try:
        main()
    except SystemExit as leaving:
        codes.append(leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code)))
        raise


if __name__ == "__main__":
    program()
