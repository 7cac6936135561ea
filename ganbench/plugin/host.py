"""The plugin host: a constructed object that knows what is installed, never a global."""

import difflib
import functools
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
from pydantic import ValidationError
from pydantic_core import to_json

from ganbench.plugin import hookspecs
from ganbench.plugin.errors import GanbenchError
from ganbench.plugin.kinds import BASES, REQUIRED, Kind, ModuleClasses
from ganbench.plugin.methods import method_slip
from ganbench.plugin.parameters import describe_invalid

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class PluginError(GanbenchError):
    """A plugin that cannot be loaded, or clashes with another. Exit code 2."""


class UnknownPluginError(PluginError):
    """A name that no plugin provides.

    Attributes
    ----------
    kind, name : str
    close : list of str
        Registered names that look alike, nearest first.
    known : list of str
    """

    def __init__(self, kind: Kind, name: str, known: Sequence[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        self.close = difflib.get_close_matches(name, self.known, n=3, cutoff=0.5)
        hint = f"did you mean {self.close[0]!r}?" if self.close else "known: " + ", ".join(known)
        super().__init__(f"no {kind} named {name!r}; {hint}")


@dataclass(frozen=True)
class Registered:
    """A plugin class and where it came from.

    Attributes
    ----------
    kind : str
    name : str
    cls : type
    source : str
        The distribution and its version, or the path of a file.
    builtin : bool
    """

    kind: Kind
    name: str
    cls: type[Any]
    source: str
    builtin: bool

    @property
    def summary(self) -> str:
        """First line of the class's docstring."""
        return (inspect.getdoc(self.cls) or "").partition("\n")[0]

    @property
    def card(self) -> str:
        """The method card: the module's docstring, or else the class's."""
        module = sys.modules.get(self.cls.__module__)
        text = inspect.getdoc(module) if module is not None else None
        return text or inspect.getdoc(self.cls) or ""


class Host:
    """Loads plugins from the entry-point group ``ganbench`` and from files.

    Parameters
    ----------
    files : sequence of Path
        Plugin files, as given with ``--plugin``; one given twice is loaded once, and so is
        one whose plugins are installed. What comes of it has the file as its source.
    entry_points : bool
        Load installed plugins; a test of a single plugin may turn that off.
    classes : sequence of type
        Plugin classes given directly, as a test of them does.

    Raises
    ------
    PluginError
        If a plugin cannot be imported or used, or two provide the same name.
    """

    def __init__(
        self,
        files: Sequence[Path] = (),
        entry_points: bool = True,
        classes: Sequence[type[Any]] = (),
    ) -> None:
        self.files = tuple(dict.fromkeys(Path(file).resolve() for file in files))
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._sources: dict[str, str] = {}
        self._registered: dict[Kind, dict[str, Registered]] = {kind: {} for kind in BASES}
        if entry_points:
            named = functools.cache(lambda dist: f"{dist.name} {dist.version}")  # parses a file
            for point in sorted(metadata.entry_points(group=hookspecs.PROJECT)):
                source = named(point.dist) if point.dist else point.value
                self._add(_load_entry_point(point, source), point.name, source)
        installed = self._installed_files()
        for file in self.files:
            if file not in installed:
                self._add(_load_file(file), str(file), str(file))
        # Once: who edits a file while a study runs has not changed what was loaded.
        self.digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in self.files}
        for kind in BASES:
            for registered in self._collect(kind):
                self._claim(registered)
        for cls in classes:
            self._claim_class(cls)

    @property
    def hook(self) -> pluggy.HookRelay:
        """The cold plane: call an observer as ``host.hook.on_trial_start(...)``."""
        return self._manager.hook

    def names(self, kind: Kind) -> list[str]:
        """Return the registered names of a kind, sorted."""
        return sorted(self._registered[kind])

    def all(self, kind: Kind) -> list[Registered]:
        """Return what is registered of a kind, by name."""
        return [self._registered[kind][name] for name in self.names(kind)]

    def find(self, kind: Kind, name: str) -> Registered:
        """Return one plugin.

        Raises
        ------
        UnknownPluginError
            If there is none; it carries the names that are close.
        """
        try:
            return self._registered[kind][name]
        except KeyError:
            raise UnknownPluginError(kind, name, self.names(kind)) from None

    def create(self, kind: Kind, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return an instance with validated parameters.

        They are taken as a study file's: a list is as good as a tuple, text as a path.
        """
        cls = self.find(kind, name).cls
        return cls(cls.Parameters.model_validate_json(to_json(dict(parameters or {}))))

    def _add(self, module: ModuleType, name: str, source: str) -> None:
        self._manager.register(module, name)
        self._sources[name] = source
        self._manager.register(ModuleClasses(module), f"{name} (classes)")
        self._sources[f"{name} (classes)"] = source

    def _installed_files(self) -> set[Path | None]:
        """Return the files of the modules, and of their plugins, that are loaded by now."""
        if not self.files:
            return set()
        classes = (each.cls.__module__ for kind in BASES for each in self._collect(kind))
        modules = [sys.modules.get(name) for name in classes]
        return {_file_of(module) for module in [*modules, *self._manager.get_plugins()]}

    def _source_of(self, cls: type[Any], source: str) -> str:
        """Return where a class came from: its file, where that was given as one."""
        file = _file_of(sys.modules.get(cls.__module__)) if self.files else None
        return str(file) if file in self.files else source

    def _collect(self, kind: Kind) -> Iterator[Registered]:
        hook = getattr(self._manager.hook, f"register_{kind}s")
        seen: set[type[Any]] = set()
        for implementation in hook.get_hookimpls():
            source = self._sources[implementation.plugin_name]
            for cls in implementation.function():
                if cls not in seen:
                    seen.add(cls)
                    _check_class(kind, cls, source)
                    builtin = cls.__module__.startswith("ganbench_plugins.")
                    yield Registered(kind, cls.name, cls, self._source_of(cls, source), builtin)

    def _claim_class(self, cls: type[Any]) -> None:
        kinds = [kind for kind, base in BASES.items() if issubclass(cls, base)]
        if not kinds:
            raise PluginError(f"{cls!r} is no plugin class")
        _check_class(kinds[0], cls, cls.__module__)
        known = self._registered[kinds[0]].get(cls.name)
        if known is None or known.cls is not cls:
            self._claim(Registered(kinds[0], cls.name, cls, cls.__module__, False))

    def _claim(self, new: Registered) -> None:
        registered = self._registered[new.kind]
        if new.name in registered:
            old = registered[new.name]
            raise PluginError(
                f"two plugins provide the {new.kind} {new.name!r}: {_shown(old.source)} and "
                f"{_shown(new.source)}; rename one of them"
            )
        registered[new.name] = new


def _file_of(module: Any) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None


def _load_entry_point(point: metadata.EntryPoint, source: str) -> ModuleType:
    try:
        module = point.load()
    except Exception as error:
        raise PluginError(
            f"the plugin {point.name!r} of {source} cannot be imported: "
            f"{type(error).__name__}: {error}; mend it, or uninstall that distribution"
        ) from error
    if not isinstance(module, ModuleType):
        raise PluginError(f"the entry point {point.name!r} of {source} must name a module")
    return module


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PluginError(f"{_shown(path)}: there is no such plugin file")
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"ganbench_file_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{_shown(path)}: a plugin file must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PluginError(f"{_shown(path)}{_line_in(path, error)}: {_describe(error)}") from error
    if not any(
        inspect.isclass(value) and issubclass(value, tuple(BASES.values()))
        for value in vars(module).values()
        if getattr(value, "__module__", None) == name
    ) and not any(hasattr(value, f"{hookspecs.PROJECT}_impl") for value in vars(module).values()):
        raise PluginError(
            f"{_shown(path)}: defines no plugin; expected a subclass of "
            + ", ".join(base.__name__ for base in BASES.values())
            + " or a function marked @hookimpl"
        )
    return module


def _line_in(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f":{error.lineno}"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f":{line}" if line is not None else ""


def _shown(source: str | Path) -> str:
    """Return a source as messages name it: a file below the current folder, relative to it."""
    path = Path(source)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(source)


def _describe(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return describe_invalid(error, error.title)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}"


def _check_class(kind: Kind, cls: type[Any], source: str) -> None:
    base: type[Any] = BASES[kind]
    source = _shown(source)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        raise PluginError(f"{source}: register_{kind}s gave {cls!r}, not a {base.__name__} class")
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"{source}: the {kind} {cls.__name__} has no `name`")
    plugin: Any = cls
    if not NAME.fullmatch(plugin.name):
        raise PluginError(
            f"{source}: the {kind} is named {plugin.name!r}, expected lower-case letters, digits, "
            "_ and -"
        )
    if kind == "trick" and not isinstance(getattr(cls, "neutral", None), plugin.Parameters):
        raise PluginError(
            f"{source}: the trick {plugin.name!r} declares no `neutral`, the "
            f"{cls.__name__}.Parameters at which it must be the identity"
        )
    if kind == "metric" and not set(plugin.lower_is_better) <= plugin.figures.keys():
        unknown = ", ".join(sorted(set(plugin.lower_is_better) - plugin.figures.keys()))
        raise PluginError(
            f"{source}: the metric {plugin.name!r} names {unknown} in `lower_is_better`, which "
            f"is not among its figures: {', '.join(plugin.figures)}"
        )
    if kind == "metric" and plugin.final_only and plugin.lower_is_better:
        raise PluginError(
            f"{source}: the metric {plugin.name!r} is `final_only`, and names "
            f"{', '.join(plugin.lower_is_better)} in `lower_is_better`, expected nothing there: "
            "what a study is judged by is measured at each evaluation"
        )
    untold = [key for key in ("title", "note") if not str(getattr(cls, key, "")).strip()]
    if kind == "inspection" and untold:
        raise PluginError(
            f"{source}: the inspection {plugin.name!r} has no `{'` and no `'.join(untold)}`, "
            "expected a heading and a paragraph for the report"
        )
    dotted = [figure for figure in plugin.figures if "." in figure] if kind == "metric" else []
    if dotted:
        raise PluginError(
            f"{source}: the metric {plugin.name!r} names figures {dotted}, expected keys "
            "without a dot: by it a trick's own figure, `trick.figure`, is told from a metric's"
        )
    slip = method_slip(cls, base)
    if slip is not None:
        raise PluginError(f"{source}: the {kind} {plugin.name!r}: {slip}")
    missing = [
        " or ".join(alternatives)
        for alternatives in REQUIRED[kind]
        if all(getattr(cls, name) is getattr(base, name) for name in alternatives)
    ]
    if missing:
        raise PluginError(f"{source}: the {kind} {plugin.name!r} lacks {', '.join(missing)}")
