"""``ganbench schema``: the JSON Schema of study files."""

import json
from pathlib import Path

import click

from ganbench.cli import options

EXAMPLES = """\b
Example:
  ganbench schema > study.schema.json

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
def command(plugins: tuple[Path, ...]) -> None:
    """Print the JSON Schema (draft 2020-12) of study files, plugins' parameters included."""
    # Late, so that --help needs no torch.
    from ganbench.config.schema import study_schema
    from ganbench.plugin import Host

    click.echo(json.dumps(study_schema(Host(plugins)), indent=2, ensure_ascii=False))
