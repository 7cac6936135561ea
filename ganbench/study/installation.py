"""The state of an installation: what is there, what is missing, what is broken, and the fix."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from pydantic import ValidationError

from ganbench.config.model import Component
from ganbench.data.load import ROOT_VARIABLE
from ganbench.plugin import Asset, GanbenchError, Host
from ganbench.plugin.kinds import BASES
from ganbench.study.compute import choose_devices, default_workers, usable_cores
from ganbench.study.run_plan import CACHE_VARIABLE

State = Literal["ok", "missing", "broken"]
OURS = "ganbench"
SHOWN = ("torch", "torchvision", "optuna", "numpy", "scipy", "scikit-learn")
"""Libraries that numbers depend on: each has a line, the others one together."""


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes
    ----------
    area, name : str
    state : {"ok", "missing", "broken"}
        What is missing may never be needed; what is broken is to be mended.
    text : str
    remedy : str
        Empty where nothing is to be done.
    """

    area: str
    name: str
    state: State
    text: str
    remedy: str = ""


def versions() -> list[Finding]:
    """Say which versions are installed, and which are older than ganbench needs."""
    needed = metadata.metadata(OURS)["Requires-Python"]
    python = platform.python_version()
    fits = SpecifierSet(needed).contains(python)
    found = [
        Finding("versions", OURS, "ok", metadata.version(OURS)),
        Finding(
            "versions",
            "Python",
            "ok" if fits else "broken",
            python if fits else f"{python}, needed is {needed}",
            "" if fits else "make an environment with a Python of that version",
        ),
    ]
    requirements = [Requirement(text) for text in metadata.requires(OURS) or ()]
    always = [each for each in requirements if each.marker is None or each.marker.evaluate()]
    checked = {each.name: _library(each) for each in always}
    found += [checked.pop(name) for name in SHOWN if name in checked]
    others = list(checked.values())
    wrong = [finding for finding in others if finding.state != "ok"]
    if len(wrong) < len(others):
        sound = f"{len(others) - len(wrong)} other libraries"
        found.append(Finding("versions", sound, "ok", "as new as needed"))
    return found + wrong


def _library(needed: Requirement) -> Finding:
    remedy = f"pip install -U '{needed.name}{needed.specifier}'"
    try:
        version = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        return Finding("versions", needed.name, "broken", "not installed", remedy)
    if needed.specifier.contains(version.partition("+")[0], prereleases=True):
        return Finding("versions", needed.name, "ok", version)
    text = f"{version}, needed is {needed.specifier}"
    return Finding("versions", needed.name, "broken", text, remedy)


def extras() -> list[Finding]:
    """Say which optional extras are installed."""
    requirements = [Requirement(text) for text in metadata.requires(OURS) or ()]
    found = []
    for extra in metadata.metadata(OURS).get_all("Provides-Extra") or ():
        own = [
            each
            for each in requirements
            if each.marker is not None
            and each.marker.evaluate({"extra": extra})
            and not each.marker.evaluate({"extra": ""})
        ]
        states = [_library(each) for each in own]
        bad = [state for state in states if state.state != "ok"]
        names = ", ".join(f"{each.name} {each.text}" for each in (bad or states))
        found.append(
            Finding(
                "extras",
                extra,
                "missing" if bad else "ok",
                names,
                f"if you want it: pip install 'ganbench[{extra}]'" if bad else "",
            )
        )
    return found


def devices() -> list[Finding]:
    """Say what can compute, and how many workers a run has of itself."""
    import torch

    from ganbench.training.compiled import cpp_compiler  # late, as torch is

    found = [Finding("devices", "cores", "ok", f"{usable_cores()} that this process may use")]
    for device in choose_devices("auto"):
        text = "for training and features"
        if device.startswith("cuda"):
            memory = torch.cuda.get_device_properties(device).total_memory / 2**30
            text = f"{torch.cuda.get_device_name(device)}, {memory:.0f} GiB"
        found.append(Finding("devices", device, "ok", text))
    workers = default_workers(choose_devices("auto"))
    found.append(Finding("devices", "workers", "ok", f"{workers}, unless --workers says otherwise"))
    compiler = cpp_compiler()
    remedy = "if you want execution.backend: compiled on a CPU: install g++ or clang++, or set CXX"
    found.append(
        Finding("devices", "C++ compiler", "ok", compiler)
        if compiler is not None
        else Finding("devices", "C++ compiler", "missing", "PyTorch's compiler finds none", remedy)
    )
    return found


def folders(cache: Path, data_root: Path) -> list[Finding]:
    """Say where things are kept, how large that is, and whether it can be written to."""
    named = ((CACHE_VARIABLE, "evaluation cache", cache), (ROOT_VARIABLE, "data root", data_root))
    return [_folder(variable, what, path) for variable, what, path in named]


def _folder(variable: str, what: str, path: Path) -> Finding:
    if path.is_dir():
        sizes = [_size(file) for file in path.rglob("*")]
        text = f"{path}: {len(sizes):,} files, {sum(sizes) / 2**20:,.1f} MiB"
        writable = os.access(path, os.W_OK | os.X_OK)
    else:
        text = f"{path}: not there yet"
        above = next((each for each in path.parents if each.exists()), path)
        writable = above.is_dir() and os.access(above, os.W_OK | os.X_OK) and not path.exists()
    if writable:
        return Finding("folders", what, "ok", text)
    text = f"{path}: cannot be written to"
    return Finding("folders", what, "broken", text, f"set {variable} to a folder of yours")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0  # a lock or a half-written file that went away meanwhile


def load_host(files: Sequence[Path]) -> tuple[Host | None, list[Finding]]:
    """Return a host of the plugins that load, and say which do not.

    Returns
    -------
    Host or None
        None where each loads, and they do not go together.
    list of Finding
    """
    broken: list[Finding] = []
    classes: list[type] = []
    for point in sorted(metadata.entry_points(group=OURS)):
        source = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            module = point.load()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            text = f"{source}: {type(error).__name__}: {error}"
            remedy = "mend or uninstall it: until then every other command ends with this"
            broken.append(Finding("plugins", point.name, "broken", text, remedy))
            continue
        classes += [
            value
            for name, value in vars(module).items()
            if isinstance(value, type)
            and issubclass(value, tuple(BASES.values()))
            and value.__module__ == module.__name__
            and not name.startswith("_")
        ]
    try:
        host = Host(files, entry_points=not broken, classes=classes if broken else ())
    except GanbenchError as error:
        remedy = "mend, rename or uninstall it"
        return None, [*broken, Finding("plugins", "loading", "broken", str(error), remedy)]
    counts = ", ".join(f"{len(host.names(kind))} {kind}s" for kind in BASES)
    return host, [Finding("plugins", "loaded", "ok", counts), *broken]


def data_sets(host: Host, root: Path, wanted: Component | None = None) -> list[Finding]:
    """Say which data sets are there; of one that a study wants, with the study's parameters."""

    def assets(component: Component) -> Sequence[Asset]:
        dataset = host.create("dataset", component.name, component.parameters)
        return tuple(dataset.assets(root))

    return _with_assets("data sets", _components(host, "dataset", wanted), assets)


def weights(host: Host, wanted: Component | None = None) -> list[Finding]:
    """Say which extractors' weights are there; of a study's, with its parameters."""

    def assets(component: Component) -> Sequence[Asset]:
        return tuple(host.create("extractor", component.name, component.parameters).assets())

    return _with_assets("extractors", _components(host, "extractor", wanted), assets)


def _components(
    host: Host, kind: Literal["dataset", "extractor"], wanted: Component | None
) -> Mapping[str, Component]:
    found = {name: Component(name=name) for name in host.names(kind)}
    return found if wanted is None else {**found, wanted.name: wanted}


def _with_assets(
    area: str,
    components: Mapping[str, Component],
    assets: Callable[[Component], Sequence[Asset]],
) -> list[Finding]:
    found: list[Finding] = []
    bare: list[str] = []
    for name, component in components.items():
        try:
            own = assets(component)
        except ValidationError:
            bare.append(name)  # one that needs to be told where
            continue
        except Exception as error:
            # A plugin's mistake, or a library of its own that is not installed.
            text = f"cannot say what it needs: {type(error).__name__}: {error}"
            found.append(Finding(area, name, "broken", text))
            continue
        if not own:
            bare.append(name)
        found += [_of_asset(area, name, asset) for asset in own]
    if bare:
        found.append(Finding(area, "the others", "ok", f"no files: {', '.join(bare)}"))
    return found


def _of_asset(area: str, name: str, asset: Asset) -> Finding:
    text = f"{asset.what}: {asset.place}"
    if asset.problem:
        return Finding(area, name, "broken", asset.problem, asset.remedy)
    if asset.found:
        return Finding(area, name, "ok", text)
    return Finding(area, name, "missing", f"not there: {text}", asset.remedy)


def shared_storage(url: str) -> Finding:
    """Say whether a storage that machines share can be reached.

    Raises
    ------
    GanbenchError
        If the address is none.
    """
    from ganbench.study.server import address_of
    from ganbench.study.storage import close_storage, open_storage

    address = address_of(url)
    try:
        storage = open_storage(Path(), address, hurry=lambda: True)
        try:
            studies = len(storage.get_all_studies())
        finally:
            close_storage(storage)
    except GanbenchError as error:
        return Finding("storage", "server", "broken", str(error), "docs/many-machines.md has more")
    return Finding("storage", "server", "ok", f"{address.shown}: {studies} Optuna studies")
