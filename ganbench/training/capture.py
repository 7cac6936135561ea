"""A step as a graph: run once under a tracer, with its random draws taken out of it.

What is traced is the step itself, with every hook of every trick, its backward passes and its
optimizers: the operations of PyTorch that it comes down to, in one FX graph. Random numbers
are drawn outside, by the same calls on the same streams in the same order, and handed in; so a
captured step sees the draws that the step itself would have made, bit for bit.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._guards import TracingContext, tracing
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing, make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.training.fused import DECOMPOSED
from ganbench.training.shapes import shape_by_values

_LIKE = frozenset({"rand_like", "randn_like", "randint_like"})
_IN_PLACE = frozenset(
    {
        *("bernoulli_", "normal_", "uniform_", "random_", "exponential_", "geometric_"),
        *("cauchy_", "log_normal_"),
    }
)
STATISTICS = ("running_mean", "running_var")
"""The arguments of BatchNorm that its operators change in training, whether or not they say so."""


class CaptureError(Exception):
    """A step that cannot be a graph; the message says why, for the trial's details."""


@dataclass(frozen=True)
class Layout:
    """What a compiled graph takes for granted of a tensor that it is given."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, tensor: Tensor) -> "Layout":
        """Return a tensor's."""
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)

    def empty(self) -> Tensor:
        """Return a tensor of this layout with nothing in it."""
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=self.device)


@dataclass(frozen=True)
class Draw:
    """A call that draws, with nothing in it that changes from step to step.

    Attributes
    ----------
    function : callable
        Of PyTorch.
    arguments : tuple
    settings : dict
        The stream among them, where the call names one.
    into : Layout or None
        Of the tensor that is filled, where the call draws in place.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    settings: Mapping[str, Any]
    into: "Layout | None"

    def __call__(self) -> Tensor:
        """Draw."""
        before = () if self.into is None else (self.into.empty(),)
        drawn: Tensor = self.function(*before, *self.arguments, **self.settings)
        return drawn

    @property
    def is_global(self) -> bool:
        """Whether it draws from PyTorch's global stream, as layers do."""
        return self.settings.get("generator") is None


@dataclass(frozen=True)
class Captured:
    """A step as a graph.

    Attributes
    ----------
    graph : GraphModule
        Changes what it holds in place, and returns what the step returns.
    draws : tuple of tuple of Draw
        For each part of the step, in order: all of them must be made.
    arguments : tuple
        What each of the graph's arguments is: the number of an input, a pair (part, number) of
        a draw, or a tensor that the step holds: weights, states of optimizers, buffers.
    layouts : tuple of Layout
        Of each argument.
    """

    graph: fx.GraphModule
    draws: tuple[tuple[Draw, ...], ...]
    arguments: tuple[int | tuple[int, int] | Tensor, ...]
    layouts: tuple[Layout, ...]

    @property
    def key(self) -> str:
        """What two graphs have in common that one compilation will do for."""
        return f"{self.graph.code}{self.layouts}"


def capture(
    parts: Sequence[Callable[[Sequence[Tensor]], Tensor]],
    inputs: Sequence[Tensor],
    state: Iterable[Tensor],
    keep_fused: bool = False,
) -> Captured:
    """Run a step once, in earnest, and return it as a graph.

    Parameters
    ----------
    parts : sequence of callable (inputs) -> Tensor
        The step: each part's draws are kept apart, so that a stream can be seeded before it.
    inputs : sequence of Tensor
        What is new in each step.
    state : iterable of Tensor
        What the step is known to hold on to. What else it turns out to touch is added.
    keep_fused : bool
        Leave the step of a fused optimizer the one operation that it is.

    Raises
    ------
    CaptureError
        If the step fails under the tracer: most often since an operation depends on a value,
        such as ``.item()``, or a shape does, or it draws in a way that does. Or if it writes to
        a tensor that is not in ``state``, which nobody would save.
    """
    state = list({id(tensor): tensor for tensor in state}.values())
    lifting = _Lifting({} if keep_fused else DECOMPOSED)

    def step(*tensors: Tensor) -> tuple[Tensor, ...]:
        results = []
        for part in parts:
            lifting.draws.append([])
            with lifting:
                results.append(part(tensors[: len(inputs)]))
        return tuple(results)

    try:
        # The tracer notes each result's layout as a fake tensor: all of one mode, or it would
        # make a mode for each, which is half of the time that a trace takes.
        with tracing(TracingContext(FakeTensorMode())):
            traced = make_fx(step, tracing_mode="real")(*inputs, *state)
    except CaptureError:
        raise
    except Exception as error:
        if "_local_scalar_dense" in str(error):
            raise CaptureError("a step looks at a value: .item(), or a branch on data") from error
        # A step that has a fault of its own will tell it better when it is taken eagerly.
        raise CaptureError(short(error)) from error
    for tensor in state:
        tensor.grad = None  # it would keep the trace alive
    return _lifted(traced, inputs, state, lifting.draws)


class _Lifting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Takes draws out of a trace, and some operations apart."""

    def __init__(self, apart: Mapping[Any, Callable[..., None]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._apart = apart
        self.draws: list[list[tuple[Draw, Tensor]]] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = dict(kwargs or {})
        if func in self._apart:
            return self._apart[func](*args, **settings)
        if torch.Tag.nondeterministic_seeded in func.tags:
            return self._draw(func, args, settings)
        selects = shape_by_values(func, args, settings)
        if selects is not None:
            instead = "; use torch.where" if "mask" in selects else ""
            raise CaptureError(f"a step {selects}, so that a shape depends on values{instead}")
        return func(*args, **settings)

    def _draw(self, func: Any, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        name = func._schema.name.partition("::")[2]
        tensors = [value for value in (*args, *settings.values()) if isinstance(value, Tensor)]
        if name == "native_dropout":
            return self._dropout(func, args, settings)
        if name in _IN_PLACE and len(tensors) == 1:
            drawn = self._note(Draw(func, args[1:], settings, Layout.of(args[0])))
            return args[0].copy_(drawn)
        if name in _LIKE and len(tensors) == 1:
            return self._note(Draw(func, args[1:], settings, Layout.of(args[0])))
        if tensors:
            raise CaptureError(f"{name} draws in a way that depends on values")
        return self._note(Draw(func, args, settings, None))

    def _dropout(self, func: Any, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        image, *rest = args

        def scaled_mask(ones: Tensor) -> Tensor:
            scaled: Tensor = func(ones.fill_(1), *rest, **settings)[0]
            return scaled

        scale = self._note(Draw(scaled_mask, (), {}, Layout.of(image)))
        return image * scale, scale != 0

    def _note(self, draw: Draw) -> Tensor:
        with disable_proxy_modes_tracing():
            drawn = draw()
        self.draws[-1].append((draw, drawn))
        return drawn


def short(error: BaseException) -> str:
    """Return the first sentence of an exception's text, without addresses in memory."""
    first = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__}: {re.sub(r' at 0x[0-9a-f]+', '', first)}"


def _lifted(
    traced: fx.GraphModule,
    inputs: Sequence[Tensor],
    state: Sequence[Tensor],
    drawn: Sequence[Sequence[tuple[Draw, Tensor]]],
) -> Captured:
    """Turn everything that a graph holds into an argument."""
    graph = traced.graph
    arguments: list[int | tuple[int, int] | Tensor] = [*range(len(inputs)), *state]
    layouts = [Layout.of(tensor) for tensor in (*inputs, *state)]
    places = [node for node in graph.nodes if node.op == "placeholder"]
    nodes = {_place(t): node for t, node in zip((*inputs, *state), places, strict=True)}
    draws = {
        _place(tensor): (part, number)
        for part, made in enumerate(drawn)
        for number, (_, tensor) in enumerate(made)
    }
    for node in list(graph.nodes):
        if "profiler" in str(node.target):
            node.replace_all_uses_with(None)
            graph.erase_node(node)
        elif node.op == "get_attr":
            constant: Tensor = getattr(traced, node.target)
            place = _place(constant)
            if place not in nodes:
                layouts.append(Layout.of(constant))
                with graph.inserting_after(places[-1]):
                    nodes[place] = graph.placeholder(f"held_{len(places)}")
                places.append(nodes[place])
                arguments.append(draws.get(place, constant))
            node.replace_all_uses_with(nodes[place])
            graph.erase_node(node)
            if not any(other.target == node.target for other in graph.nodes):
                # The module may serve other trials, and must not hold on to this one's.
                delattr(traced, node.target)
    known = {*places[: len(inputs) + len(state)]}
    for node in graph.nodes:
        if any(one.op == "placeholder" and one not in known for one in written(node)):
            raise CaptureError("a step writes to a tensor that is no declared buffer")
    traced.recompile()
    draws_made = tuple(tuple(draw for draw, _ in made) for made in drawn)
    return Captured(traced, draws_made, tuple(arguments), tuple(layouts))


def written(node: fx.Node) -> Iterator[fx.Node]:
    """Give the nodes of a graph whose tensors an operation changes in place."""
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or schema is None:
        return
    given = {
        argument.name: value for argument, value in zip(schema.arguments, node.args, strict=False)
    }
    if node.kwargs.get("grad_scale") is None:
        given.pop("grads", None)  # which fused optimizers only change to scale them
    for argument in schema.arguments:
        says_so = argument.alias_info is not None and argument.alias_info.is_write
        if says_so or (argument.name in STATISTICS and given.get("training")):
            value = given.get(argument.name)
            many = value if isinstance(value, list | tuple) else [value]
            yield from (one for one in many if isinstance(one, fx.Node))


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Return what tells apart the tensors of a step, all alive at once."""
    return (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
