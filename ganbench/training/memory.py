"""Which tensors of a captured step lie in one memory, and which views may as well be copies."""

import operator
from collections.abc import Iterator

import torch
from torch import fx

from ganbench.training.capture import written

VIEWS = frozenset({torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default})
"""The operations that give other shapes only to what lies in memory so that they can."""


def copyable(graph: fx.Graph) -> frozenset[fx.Node]:
    """Return those of ``VIEWS`` to whose memory nothing is written later, by whatever name.

    Nobody sees whether they are copies.
    """
    memory: dict[fx.Node, fx.Node] = {}
    last_write: dict[fx.Node, int] = {}
    views: dict[fx.Node, int] = {}
    for place, node in enumerate(graph.nodes):
        memory[node] = next((memory[one] for one in _shared(node)), node)
        last_write.update({memory[one]: place for one in written(node)})
        if node.target in VIEWS:
            views[node] = place
    return frozenset(
        view for view, place in views.items() if last_write.get(memory[view], 0) < place
    )


def _shared(node: fx.Node) -> Iterator[fx.Node]:
    """Give the inputs of an operation in whose memory its results lie."""
    if node.target is operator.getitem or node.target in VIEWS:
        yield node.all_input_nodes[0]
    schema = getattr(node.target, "_schema", None)
    if node.op == "call_function" and schema is not None:
        for argument, value in zip(schema.arguments, node.args, strict=False):
            if argument.alias_info is not None and isinstance(value, fx.Node):
                yield value
