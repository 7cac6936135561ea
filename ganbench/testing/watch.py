"""What a plugin's code asks of PyTorch while it trains: draws, and looks at values."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from ganbench.plugin import Trick
from ganbench.training.hooks import STEP_HOOKS

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
        *("item", "tolist", "numpy", "nonzero", "unique"),
        *("__bool__", "__float__", "__int__", "__index__", "__complex__"),
    }
)
"""Functions of torch whose result depends on a value in its type or its shape."""
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
        place: FrameType | None = None
        for frame in _callers():
            if place is None and frame.f_code.co_filename == self._file:
                place = frame
            if isinstance(frame.f_locals.get("self"), self._trick):
                hook = frame.f_code.co_name
                if place is not None and hook in STEP_HOOKS and hook not in HOST_HOOKS:
                    _add(self.looks, place, name)
                    return


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
    text = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} ({name})"
    if text not in places:
        places.append(text)
