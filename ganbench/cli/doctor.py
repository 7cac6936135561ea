"""``ganbench doctor``: the state of the installation, and the metrics put to the test."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.config.load import LoadedStudy
    from ganbench.config.model import Component
    from ganbench.evaluation.testbench import Check, SelfTest
    from ganbench.plugin import Host
    from ganbench.study.installation import Finding

EXAMPLES = """\b
Examples:
  ganbench doctor                     the installation, and the metrics on digits
  ganbench doctor --no-test           the installation alone, in seconds
  ganbench doctor tricks-cifar10      is there what this study needs?
  ganbench doctor --dataset mnist --download
  ganbench doctor --dataset '{name: folder, path: pictures}' --extractor inception

\b
Nothing is downloaded without --download.
Exit codes: 0 nothing is broken, 1 something is, 2 an error of yours.
"""


@click.command("doctor", epilog=EXAMPLES)
@click.argument("study", required=False)
@click.option(
    "--dataset",
    metavar="YAML",
    help="What the metrics are tested on.  [default: the study's, or digits]",
)
@click.option(
    "--extractor",
    metavar="YAML",
    help="In whose features.  [default: the study's, or classifier]",
)
@click.option("--test/--no-test", default=True, help="Put the metrics to the test.  [default: on]")
@click.option("--full", is_flag=True, help="Also what takes more than an hour on a CPU.")
@click.option("--download", is_flag=True, help="Fetch the data and weights that the tests need.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for another program.")
@options.sets
@options.device
@options.data_root
@options.storage
@options.plugins
def command(
    study: str | None,
    dataset: str | None,
    extractor: str | None,
    test: bool,
    full: bool,
    download: bool,
    as_json: bool,
    sets: tuple[str, ...],
    device: str,
    data_root: Path | None,
    storage: str | None,
    plugins: tuple[Path, ...],
) -> None:
    """Say what is installed, found, missing and broken, and test the metrics on real data.

    With STUDY, a study file or the name of a shipped one, it looks at that one's data set and
    extractor. The test damages real images in known ways, and holds each metric to what the
    damage must do to it.
    """
    # Late, so that --help needs neither torch nor rich.
    from ganbench.cli.doctor_report import print_findings, print_selftest, print_summary
    from ganbench.study.installation import load_host

    host, findings = load_host(plugins)
    root = _root(data_root)
    loaded = _study(study, sets, host)
    chosen = None
    if host is not None:
        chosen = _chosen(dataset, extractor, loaded, host)
    findings = _installation(host, findings, root, loaded, storage)
    selftest, known = None, None
    if not as_json:  # before the test, which takes a while, or may not be possible
        print_findings(findings)
    if test and host is not None and chosen is not None:
        selftest, known = _test(*chosen, host, root, device, download, full, as_json)
    passed = all(finding.state != "broken" for finding in findings)
    passed &= selftest is None or selftest.passed
    passed &= known is None or known.outcome != "wrong"
    if as_json:
        click.echo(json.dumps(_as_json(findings, selftest, known, passed), indent=2))
    else:
        if selftest is not None and known is not None:
            print_selftest(selftest, known)
        elif test:
            click.echo("the metrics were not tested: no plugin can be used until that is mended")
        print_summary(findings, selftest, known, _told(loaded, findings))
    sys.exit(0 if passed else 1)


def _root(data_root: Path | None) -> Path:
    from ganbench.data.load import data_root as usual

    return usual() if data_root is None else data_root.absolute()


def _study(study: str | None, sets: tuple[str, ...], host: "Host | None") -> "LoadedStudy | None":
    if study is None:
        if sets:
            raise click.UsageError("--set is for a STUDY, and there is none")
        return None
    if host is None:
        return None
    from ganbench.config.load import load_study

    return load_study(study, host, sets)


def _chosen(
    dataset: str | None, extractor: str | None, loaded: "LoadedStudy | None", host: "Host"
) -> "tuple[Component, Component]":
    from ganbench.config.components import read_component
    from ganbench.config.model import Component

    data, features = Component(name="digits"), Component(name="classifier")
    if loaded is not None:
        data, features = loaded.study.dataset, loaded.study.evaluation.extractor
    if dataset is not None:
        data = read_component(dataset, "--dataset", "dataset", host)
    if extractor is not None:
        features = read_component(extractor, "--extractor", "extractor", host)
    return data, features


def _installation(
    host: "Host | None",
    plugins: "list[Finding]",
    root: Path,
    loaded: "LoadedStudy | None",
    storage: str | None,
) -> "list[Finding]":
    from ganbench.study import installation
    from ganbench.study.run_plan import cache_folder

    findings = [
        *installation.versions(),
        *installation.extras(),
        *installation.devices(),
        *installation.folders(cache_folder(), root),
        *plugins,
    ]
    if host is not None:
        wanted = None if loaded is None else loaded.study
        findings += installation.data_sets(host, root, wanted.dataset if wanted else None)
        findings += installation.weights(host, wanted.evaluation.extractor if wanted else None)
    if storage is not None:
        findings.append(installation.shared_storage(storage))
    return findings


def _test(
    dataset: "Component",
    extractor: "Component",
    host: "Host",
    root: Path,
    wanted: str,
    download: bool,
    full: bool,
    quiet: bool,
) -> "tuple[SelfTest, Check]":
    import torch

    from ganbench.cli.bar import Bar
    from ganbench.data.load import load_data
    from ganbench.evaluation.known import check_known_distance
    from ganbench.evaluation.selftest import run_selftest
    from ganbench.study.compute import choose_devices, set_up_torch
    from ganbench.study.run_plan import cache_folder

    name = choose_devices(wanted)[0]
    set_up_torch(name)
    device, cache = torch.device(name), cache_folder()
    _refuse_missing(dataset, extractor, host, root, download)
    with Bar(quiet) as bar:
        data = load_data(dataset.name, dataset.parameters, host, root, bar)
        selftest = run_selftest(data, extractor, host, device, cache, bar)
        known = check_known_distance(host, root, device, cache, bar, download, full)
    return selftest, known


def _refuse_missing(
    dataset: "Component", extractor: "Component", host: "Host", root: Path, download: bool
) -> None:
    """End where a download would begin that nobody asked for, or what is needed is nowhere."""
    from pydantic import ValidationError

    from ganbench.plugin import GanbenchError

    told: list[str] = []
    for kind, component in (("dataset", dataset), ("extractor", extractor)):
        host.find(kind, component.name)  # type: ignore[arg-type]
        try:
            plugin: Any = host.create(kind, component.name, component.parameters)  # type: ignore[arg-type]
        except ValidationError:
            continue  # told better where it is used
        for asset in plugin.assets(root) if kind == "dataset" else plugin.assets():
            if asset.problem and not asset.found:
                told.append(f"the {kind} {component.name!r}: {asset.problem}; {asset.remedy}")
            elif not asset.found and not download:
                told.append(
                    f"the {kind} {component.name!r} is not here: {asset.place} ({asset.what}); "
                    f"--download fetches it, or {asset.remedy}"
                )
    if told:
        raise GanbenchError("\n".join(told))


def _told(loaded: "LoadedStudy | None", findings: "list[Finding]") -> str:
    """Say whether what a study needs is there; empty without a study, and if it is broken."""
    from ganbench.report.words import listing

    if loaded is None:
        return ""
    study = loaded.study
    needed = {("data sets", study.dataset.name), ("extractors", study.evaluation.extractor.name)}
    own = [finding for finding in findings if (finding.area, finding.name) in needed]
    if any(finding.state == "broken" for finding in own):
        return ""
    missing = [finding.name for finding in own if finding.state == "missing"]
    if not missing:
        return f"the data and the extractor of {study.name} are there"
    return f"of what {study.name} needs, not there yet: {listing(missing)}"


def _as_json(
    findings: "list[Finding]", selftest: "SelfTest | None", known: "Check | None", passed: bool
) -> dict[str, Any]:
    return {
        "passed": passed,
        "installation": [asdict(finding) for finding in findings],
        "selftest": None if selftest is None else asdict(selftest),
        "known": None if known is None else asdict(known),
    }
