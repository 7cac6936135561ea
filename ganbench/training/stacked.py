"""A captured step for several trials at once: each operation over a first dimension, the trials.

The weights, states and buffers of the trials lie stacked in one tensor each, and so do their
inputs and draws. An operation of the graph then becomes one over the stack: itself where it works
element by element, PyTorch's own batching rule (``torch.vmap``) elsewhere, which turns K products
of matrices into one batched product and K convolutions into one with K groups. BatchNorm has a
rule of its own.
"""

import operator
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._guards import TracingContext, tracing
from torch._ops import OpOverload, OpOverloadPacket
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from ganbench.training.capture import CaptureError, short, written
from ganbench.training.folding import FOLDED, folded
from ganbench.training.fused import DECOMPOSED
from ganbench.training.memory import copyable

_LISTS = "aten::_foreach_"
"""Begins the names of operations over lists of tensors, one by one."""


def stacked(
    graph: fx.GraphModule, arguments: Sequence[Tensor], is_stacked: Sequence[bool]
) -> fx.GraphModule:
    """Return a step's graph for several trials at once.

    Parameters
    ----------
    graph : GraphModule
        Captured of one trial; it returns the losses, 0-d.
    arguments : sequence of Tensor
        What the new graph is called with: for each argument of ``graph`` those of all trials
        stacked, shape (trials, ...), or one that all share. They are only looked at.
    is_stacked : sequence of bool
        Which of the two each is.

    Returns
    -------
    GraphModule
        It returns the losses of all trials, shape (trials,) each.

    Raises
    ------
    CaptureError
        If an operation cannot be done for several trials at once.
    """
    interpreter = _Stacking(graph, is_stacked)
    copies = [argument.clone() for argument in arguments]
    try:
        with tracing(TracingContext(FakeTensorMode())), torch.no_grad():
            return make_fx(interpreter.run, tracing_mode="real")(*copies)
    except CaptureError:
        raise
    except Exception as error:
        raise CaptureError(f"it cannot be stacked: {short(error)}") from error


class _Stacking(fx.Interpreter):
    """Runs a graph over stacks."""

    def __init__(self, graph: fx.GraphModule, is_stacked: Sequence[bool]) -> None:
        super().__init__(graph)
        places = [node for node in graph.graph.nodes if node.op == "placeholder"]
        self._is_stacked: dict[fx.Node, bool] = dict(zip(places, is_stacked, strict=True))
        # A stack may lie in memory so that only a copy has the shape of a view.
        self._copyable = copyable(graph.graph)

    def run_node(self, n: fx.Node) -> Any:
        """Run a node: alone where none of its inputs is stacked."""
        if n.op != "call_function":
            return super().run_node(n)
        is_stacked = any(self._is_stacked[node] for node in n.all_input_nodes)
        alone = [one for one in written(n) if not self._is_stacked[one]]
        if any(is_stacked or one.op == "placeholder" for one in alone):
            raise CaptureError("a step writes to what the trials have in common")
        self._is_stacked[n] = is_stacked
        if n.target is operator.getitem or not is_stacked:
            return super().run_node(n)
        leaves, structure = tree_flatten((n.args, n.kwargs), is_leaf=_is_node)
        values = [self.env[leaf] if _is_node(leaf) else leaf for leaf in leaves]
        stacks = [_is_node(leaf) and self._is_stacked[leaf] for leaf in leaves]
        target: Any = n.target
        if n in self._copyable:
            target = torch.ops.aten.reshape.default
        if target in DECOMPOSED:
            return _row_by_row(target, values, stacks, structure)
        if target._schema.name.startswith(_LISTS):
            return _one_by_one(target, values, stacks, structure)
        return _apply(target, values, stacks, structure)


def _apply(function: Any, values: list[Any], stacks: list[bool], structure: Any) -> Any:
    """Call an operation over stacks."""
    if _is_plain(function, values, stacks):
        args, kwargs = tree_unflatten(values, structure)
        return function(*args, **kwargs)
    if _overload(function)._schema.name in FOLDED:
        return folded(function, values, stacks, structure)
    places = [place for place, value in enumerate(values) if isinstance(value, Tensor)]
    lacking: list[bool] = []

    def call(*tensors: Tensor) -> Any:
        filled = values.copy()
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        args, kwargs = tree_unflatten(filled, structure)
        result = function(*args, **kwargs)
        if not isinstance(result, tuple | list):
            return result
        lacking[:] = [one is None for one in result]  # as gradients that nobody wants
        return tuple(one for one in result if one is not None)

    dimensions = tuple(0 if stacks[place] else None for place in places)
    with warnings.catch_warnings():
        # Where there is no rule, the operation is done for one trial after the other.
        warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
        result = torch.vmap(call, in_dims=dimensions)(*(values[place] for place in places))
    if not lacking:
        return result
    there = iter(result)
    return tuple(None if is_lacking else next(there) for is_lacking in lacking)


def _is_plain(function: Any, values: list[Any], stacks: list[bool]) -> bool:
    """Say whether an operation over stacks is itself: it works element by element, on like ranks.

    Tensors of other ranks would be lined up with the trials, or be promoted otherwise.
    """
    if torch.Tag.pointwise not in _overload(function).tags:
        return False
    tensors = [place for place, value in enumerate(values) if isinstance(value, Tensor)]
    ranks = {values[place].ndim for place in tensors}
    return len(ranks) == 1 and all(stacks[place] for place in tensors)


def _one_by_one(function: Any, values: list[Any], stacks: list[bool], structure: Any) -> Any:
    """Call an operation over lists for each of their tensors."""
    name = function._schema.name.removeprefix(_LISTS)
    single: OpOverloadPacket[..., Any] = getattr(torch.ops.aten, name)
    places = tree_unflatten(list(range(len(values))), structure)
    arguments = [*places[0], *places[1].values()]
    count = max(len(places) for places in arguments if isinstance(places, list | tuple))
    # Some take as a keyword what those over lists take by its place, such as a factor.
    own = _overload(single)._schema.arguments
    by_place = sum(not argument.kwarg_only for argument in own)
    names = [argument.name for argument in own[by_place:]][: max(0, len(places[0]) - by_place)]
    names += list(places[1])
    results = []
    for index in range(count):
        pick = [many[index] if isinstance(many, list | tuple) else many for many in arguments]
        by_name = dict(zip(names, pick[len(pick) - len(names) :], strict=True))
        _, shape = tree_flatten((pick[: len(pick) - len(names)], by_name))
        results.append(
            _apply(single, [values[at] for at in pick], [stacks[at] for at in pick], shape)
        )
    return None if function._schema.is_mutable else results


def _row_by_row(function: Any, values: list[Any], stacks: list[bool], structure: Any) -> None:
    """Call a fused optimizer's step over the rows of all stacks, each a tensor of its lists."""
    count = next(len(value) for value, is_stack in zip(values, stacks, strict=True) if is_stack)
    places, settings = tree_unflatten(list(range(len(values))), structure)
    for param, grad in zip(*places[:2], strict=True):
        # The kernels walk the memories of a parameter and its gradient side by side.
        if stacks[grad] and values[grad].stride() != values[param].stride():
            values[grad] = torch.empty_like(values[param]).copy_(values[grad])
    rows = [
        value.unbind() if is_stack else [value] * count
        for value, is_stack in zip(values, stacks, strict=True)
    ]
    lists = [[row for place in many for row in rows[place]] for many in places]
    function(*lists, **{name: values[place] for name, place in settings.items()})


def _overload(function: OpOverload[..., Any] | OpOverloadPacket[..., Any]) -> Any:
    if isinstance(function, OpOverloadPacket):
        names: list[str] = function.overloads()  # type: ignore[no-untyped-call]
        return getattr(function, names[0])
    return function


def _is_node(value: object) -> bool:
    return isinstance(value, fx.Node)
