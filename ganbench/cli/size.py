"""How large a study is, and whether anybody can have meant that."""

import sys

import click

from ganbench.config.model import SeedRange, Study
from ganbench.plugin import GanbenchError
from ganbench.report.words import count
from ganbench.study.design import count_arms, count_trials, count_tuning

MOST_TRIALS = 1000
"""Of more, a run makes sure that they are meant."""
MOST_ARMS = 1000
"""More are neither listed nor tried out before a run."""


def size_line(study: Study) -> str:
    """Return the number of arms, seeds and trials in words, arms that are n/a among them."""
    arms, seeds, tuning = count_arms(study), len(study.all_seeds), count_tuning(study)
    factors = [count(arms, "arm"), count(seeds, "seed")]
    if isinstance(study.seeds, SeedRange):
        factors[1] = f"at most {factors[1]}"
    if study.tuning is not None:
        factors.insert(0, "2 readings")
    if not tuning:
        return f"{' × '.join(factors)} = {count(arms * seeds, 'trial')}"
    whole = count(count_trials(study), "trial")
    return f"{' × '.join(factors)} + {count(tuning, 'trial')} of tuning = {whole}"


def confirm_size(study: Study, yes: bool) -> None:
    """Make sure that a very large study is meant: ask on a terminal, refuse elsewhere.

    Parameters
    ----------
    study : Study
    yes : bool
        It is meant.

    Raises
    ------
    GanbenchError
        If it is not, or nobody can be asked.
    """
    if yes or count_trials(study) <= MOST_TRIALS:
        return
    text = f"the study comes to {size_line(study)}, more than {MOST_TRIALS:,}"
    if sys.stdin.isatty():
        if click.confirm(f"{text}; is that meant?"):
            return
        raise GanbenchError("nothing was run: fewer seeds or factors make a study smaller")
    raise GanbenchError(
        f"{text}; if that is meant, add --yes\n"
        "  fewer seeds, fewer factors or another `design` make it smaller, and --dry-run tells "
        "how long it takes"
    )


def show_size(study: Study, yes: bool) -> None:
    """Print the size of a study; end there if it has too many arms to try each one.

    Raises
    ------
    click.exceptions.Exit
        With code 0, if it has, unless ``yes`` says that it is to go on all the same.
    """
    click.echo(size_line(study))
    if count_trials(study) > MOST_TRIALS and not yes:
        click.echo(f"note: more than {MOST_TRIALS:,} trials: a run asks first, or takes --yes")
    if count_arms(study) > MOST_ARMS and not yes:
        click.echo(f"note: more than {MOST_ARMS:,} arms are tried out only with --yes")
        raise click.exceptions.Exit(0)
