"""``ganbench schema``: the JSON Schema of study files, and of launcher files."""

import json
from pathlib import Path

import click

from ganbench.cli import options

EXAMPLES = """\b
Examples:
  ganbench schema > study.schema.json
  ganbench schema --launcher > launcher.schema.json

\b
Then begin a study file with this line, and an editor with a YAML language
server completes keys, explains them and marks mistakes as you type:
  # yaml-language-server: $schema=study.schema.json

\b
The schema knows keys, types, ranges and choices, those of the plugins too.
What takes several keys together, `ganbench show` and `ganbench run` check.
"""


@click.command("schema", epilog=EXAMPLES)
@options.plugins
@click.option("--launcher", is_flag=True, help="Of the files that `ganbench launch` takes.")
def command(plugins: tuple[Path, ...], launcher: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of study files, plugins' parameters included."""
    # Late, so that --help needs no torch.
    from ganbench.config.schema import launcher_schema, study_schema
    from ganbench.plugin import Host

    schema = (launcher_schema if launcher else study_schema)(Host(plugins))
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
