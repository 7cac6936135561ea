"""``ganbench export``: samples of a trial, or a study's data, as other programs read them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    import torch

    from ganbench.plugin import Data, Host, Progress
    from ganbench.study.export import Chosen
    from ganbench.training import Trial

EXAMPLES = """\b
Examples:
  ganbench export reports/tricks                       the baseline, first seed
  ganbench export reports/tricks --arm label_smoothing --seed 3 --to samples
  ganbench export reports/tricks --data --to data      what it was trained on
  ganbench export reports/tricks --samples 50000 --format npz

\b
Then, with folders of PNGs:
  python -m pytorch_fid samples data
  fidelity --fid --input1 samples --input2 data
"""


@click.command("export", epilog=EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--arm", metavar="NAME", help="[default: the baseline]")
@click.option("--seed", type=int, metavar="N", help="[default: the study's first]")
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    help="How many.  [default: as many as were measured; of data, all]",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["png", "npz"]),
    default="png",
    show_default=True,
    help="A folder of PNGs, or uint8 (N, height, width, channels) as arr_0.",
)
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="PATH", help="[default: STUDY-ARM-SEED]"
)
@click.option("--data", is_flag=True, help="The data that the study was trained on, instead.")
@click.option("--retrain", is_flag=True, help="Train the trial again if no weights were kept.")
@options.device
@options.data_root
@options.plugins
def command(
    run: Path,
    arm: str | None,
    seed: int | None,
    samples: int | None,
    kind: Any,
    to: Path | None,
    data: bool,
    retrain: bool,
    device: str,
    data_root: Path | None,
    plugins: tuple[Path, ...],
) -> None:
    """Write samples of a trial in the report folder RUN.

    Up to as many as an evaluation measured, they are the very samples that it measured at the
    last step.
    """
    if data and (arm is not None or seed is not None or retrain):
        raise click.UsageError("--data is of all arms: leave out --arm, --seed and --retrain")
    # Late, so that --help needs neither torch nor rich.
    import torch

    from ganbench.cli.bar import Bar
    from ganbench.cli.session import shown
    from ganbench.plugin import Host
    from ganbench.report.words import count
    from ganbench.study.compute import choose_devices, set_up_torch
    from ganbench.study.export import choose, load_reference
    from ganbench.study.sample_files import check_place, write_samples

    chosen = choose(run, arm, seed)
    name = chosen.study["name"] + ("-data" if data else f"-{chosen.arm.name}-{chosen.seed}")
    where = to or Path(name.replace("/", "_").replace(" ", "_"))
    images = len(chosen.protocol["reference"]["shape"]) == 3
    check_place(where, kind, images)
    wanted = choose_devices(device)[0]
    set_up_torch(wanted)
    host = Host(plugins)
    with Bar(quiet=False) as progress:
        reference = load_reference(chosen, host, data_root, progress)
        about = _about(chosen, run)
        note = ""
        if data:
            items = reference.items[:samples]
        else:
            items, more = _samples(
                chosen, reference, samples, host, torch.device(wanted), retrain, progress
            )
            about |= more
            note = more["note"]
        written = write_samples(items, where, kind, about, progress)
    what = "image" if images else "point"
    of = "the data" if data else f"{chosen.arm.name}, seed {chosen.seed}"
    click.echo(f"{count(len(items), what)} of {of}: {shown(written.absolute())}")
    if note:
        click.echo(note)
    sys.exit(0)


def _samples(
    chosen: "Chosen",
    reference: "Data",
    samples: int | None,
    host: "Host",
    device: "torch.device",
    retrain: bool,
    progress: "Progress",
) -> "tuple[torch.Tensor, dict[str, Any]]":
    from ganbench.study.export import is_the_reports, restore

    trial = restore(chosen, reference, host, device, retrain, progress)
    measured = int(chosen.protocol["samples"])
    amount = measured if samples is None else samples
    items = trial.sample(amount)
    same = is_the_reports(chosen, trial, reference)
    return items, {
        "arm": chosen.arm.name,
        "seed": chosen.seed,
        "trained_with": trial.seed,
        "step": trial.step,
        "configuration": trial.config.key(),
        "generator_weights": trial.scored_weights,
        "note": _note(same, amount, measured, trial),
    }


def _note(same: bool | None, amount: int, measured: int, trial: "Trial") -> str:
    if same is None:
        text = "there is no picture in the report to compare them with"
    elif same:
        text = "they begin with those of the report's picture"
    else:
        text = (
            f"they are not those of the report's picture: on {trial.device.type}, or with these "
            "versions, other latents are drawn or weights come out"
        )
    if amount > measured:
        text += f"; {measured:,} were measured, and here are more"
    return text


def _about(chosen: "Chosen", run: Path) -> dict[str, Any]:
    from ganbench.evaluation.comparable import stamp

    return {
        "study": chosen.study["name"],
        "report": str(run),
        "protocol_stamp": stamp(chosen.protocol),
        "protocol": dict(chosen.protocol),
    }
