"""What a plugin's code asks of PyTorch while it trains: draws, looks at values, selections."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.plugin import Trick
from ganbench.training.hooks import STEP_HOOKS
from ganbench.training.shapes import shape_by_values

DRAWS = frozenset(
    {
        *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
        *("normal", "normal_", "uniform_", "random_", "bernoulli", "bernoulli_", "multinomial"),
        *("poisson", "exponential_", "log_normal_", "cauchy_", "geometric_"),
        *("dropout", "alpha_dropout", "feature_alpha_dropout", "rrelu", "gumbel_softmax"),
    }
)
"""Functions of torch that draw, from the global stream unless they are given another."""
LOOKS = frozenset(
    {
        *("item", "tolist", "numpy"),
        *("__bool__", "__float__", "__int__", "__index__", "__complex__"),
    }
)
"""Functions of torch that hand a value to Python."""
HOST_HOOKS = frozenset({"before_step", "plan_updates"})
"""Hooks that are called outside of what is compiled."""


class Watch(TorchFunctionMode):
    """Notes, while it is entered, what a trick's own code draws and looks at.

    Parameters
    ----------
    trick : type of Trick

    Attributes
    ----------
    draws, looks : list of str
        Each place once: ``my_trick.py:12 (randn_like)``. Draws are those from the global
        stream; looks are those in step hooks.
    layers_draw : bool
        Whether a layer such as dropout drew, as it may: its stream is seeded in each half.
    """

    def __init__(self, trick: type[Trick]) -> None:
        super().__init__()
        self._trick = trick
        self._file = inspect.getsourcefile(trick)
        self.draws: list[str] = []
        self.looks: list[str] = []
        self.layers_draw = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type[Any]],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, having noted it."""
        name = getattr(func, "__name__", "")
        given = kwargs or {}
        if name in DRAWS and given.get("generator") is None:
            self._note_draw(name)
        elif name in LOOKS:
            self._note_look(name)
        return func(*args, **given)

    def _note_draw(self, name: str) -> None:
        for frame in _callers():
            if frame.f_code.co_filename == self._file:
                _add(self.draws, frame, name)
                return
            if isinstance(frame.f_locals.get("self"), nn.Module):
                self.layers_draw = True
                return

    def _note_look(self, name: str) -> None:
        place = _in_step_hook(self._trick, self._file)
        if place is not None:
            _add(self.looks, place, name)


class SelectionWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes, while it is entered, where a trick's step hooks make shapes that depend on values.

    Parameters
    ----------
    trick : type of Trick

    Attributes
    ----------
    found : list of str
        Each place once, with what is done there: ``selects with a mask at my_trick.py:12``.
    """

    def __init__(self, trick: type[Trick]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._trick, self._file = trick, inspect.getsourcefile(trick)
        self.found: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = kwargs or {}
        selects = shape_by_values(func, args, settings)
        place = None if selects is None else _in_step_hook(self._trick, self._file)
        if place is not None:
            text = f"{selects} at {_told(place)}"
            if text not in self.found:
                self.found.append(text)
        return func(*args, **settings)


def _in_step_hook(trick: type[Trick], file: str | None) -> FrameType | None:
    """Return where a trick's file is at present, if one of its step hooks is running."""
    place: FrameType | None = None
    for frame in _callers():
        if place is None and frame.f_code.co_filename == file:
            place = frame
        if isinstance(frame.f_locals.get("self"), trick):
            hook = frame.f_code.co_name
            if place is not None and hook in STEP_HOOKS and hook not in HOST_HOOKS:
                return place
    return None


def _callers() -> list[FrameType]:
    """Return the frames outside of this module, innermost first."""
    frames = []
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename != __file__:
            frames.append(frame)
        frame = frame.f_back
    return frames


def _add(places: list[str], frame: FrameType, name: str) -> None:
    text = f"{_told(frame)} ({name})"
    if text not in places:
        places.append(text)


def _told(frame: FrameType) -> str:
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
