"""Captured steps recorded as CUDA graphs: hundreds of kernels launched as one.

A step of a small network is so short on a GPU that most of its time goes into launching its
kernels one by one. A CUDA graph is recorded once, from the step's own operations, and then
launched whole. It reads and writes fixed places in memory: weights, states and buffers stay
where they are, and inputs and draws, which are made outside as ever, are copied into places of
their own before each launch. See "CUDA Graphs" in PyTorch's notes on CUDA semantics.
"""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor, fx

from ganbench.training.capture import Captured, CaptureError, short
from ganbench.training.graph import Function

WARM_UPS = 3
"""Runs before a recording: libraries choose their algorithms and take their memory in them."""
_ASKING = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)


class Recorder(Protocol):
    """Records what a function does, for a kind of device."""

    device_type: str

    def record(self, function: Callable[[], Tensor], device: torch.device) -> Callable[[], Tensor]:
        """Return what does the same again, on the same tensors, and returns the same tensor.

        ``function`` is called as often as it takes, the last time under the recorder.
        """


class CudaRecorder:
    """Records CUDA graphs.

    What it records must be launched one at a time: all recordings of a device are made on one
    stream, so they share cuBLAS's workspace.
    """

    device_type = "cuda"

    def record(self, function: Callable[[], Tensor], device: torch.device) -> Callable[[], Tensor]:
        """Run a function some times, and once under the recorder; see ``Recorder``."""
        with torch.cuda.device(device):
            stream = _side_stream(torch.cuda.current_device())
            here = torch.cuda.current_stream()
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    function()
            here.wait_stream(stream)
            return _recorded(function, stream)


class Graphed:
    """A back end: graphs as recordings, each of one trial, whose tensors it reads and writes.

    Parameters
    ----------
    recorder : Recorder, optional
    """

    name, keeps_fused = "graphed", True  # or a few kernels would be hundreds

    def __init__(self, recorder: Recorder | None = None) -> None:
        self._recorder = recorder or CudaRecorder()

    def refuse(self, device: torch.device) -> None:
        """Refuse a device that has no such graphs.

        Raises
        ------
        CaptureError
        """
        wanted = self._recorder.device_type
        if device.type != wanted:
            raise CaptureError(
                f"graphs that are recorded need a {wanted} device, and this is a {device.type} one"
            )

    def prepare(self, captured: Captured, arguments: Sequence[Tensor]) -> Function:
        """Record a graph.

        Raises
        ------
        CaptureError
            If a recording would take something for fixed that is not, or if it fails.
        """
        device = captured.layouts[0].device
        _expect_recordable(captured, device)
        places = [
            given if isinstance(what, Tensor) else layout.empty().copy_(given)
            for what, layout, given in zip(
                captured.arguments, captured.layouts, arguments, strict=True
            )
        ]

        def step() -> Tensor:
            return torch.stack(list(captured.graph(*places)))

        try:
            replay = self._recorder.record(step, device)
        except Exception as error:
            raise CaptureError(f"the recording failed: {short(error)}") from error
        return _Recording(replay, captured, places)


class _Recording:
    """A recorded graph behind the arguments of the one it was made of.

    Parameters
    ----------
    replay : callable () -> Tensor, shape (updates,)
    captured : Captured
    places : sequence of Tensor
        What was recorded instead of each argument: a tensor that the step holds, or a copy.
    """

    def __init__(
        self, replay: Callable[[], Tensor], captured: Captured, places: Sequence[Tensor]
    ) -> None:
        self._replay, self._places = replay, places
        fresh = [i for i, what in enumerate(captured.arguments) if not isinstance(what, Tensor)]
        # One call copies tensors of one type only.
        by_type = defaultdict(list)
        for index in fresh:
            by_type[places[index].dtype].append(index)
        self._copies = [([places[i] for i in group], group) for group in by_type.values()]

    def __call__(self, *arguments: Tensor) -> Sequence[Tensor]:
        for places, group in self._copies:
            torch._foreach_copy_(places, [arguments[i] for i in group])
        # The next replay writes where this one did, and losses are kept for long.
        return self._replay().clone().unbind()


def _expect_recordable(captured: Captured, device: torch.device) -> None:
    """Look for what a recording would get wrong, or could not record.

    A recording holds numbers on the CPU as they were, and cannot wait for the device.

    Raises
    ------
    CaptureError
    """
    for what, layout in zip(captured.arguments, captured.layouts, strict=True):
        if layout.device != device:
            kind = "holds on to" if isinstance(what, Tensor) else "draws"
            raise CaptureError(
                f"a step {kind} a tensor on the {layout.device.type}, of shape {layout.shape}"
            )
    for node in captured.graph.graph.nodes:
        if node.op != "call_function":
            continue
        name = getattr(node.target, "__name__", str(node.target))
        indices = _indices(node)
        if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
            raise CaptureError(f"{name} by a mask has to ask the device how many it holds")
        if not indices and any(tag in getattr(node.target, "tags", ()) for tag in _ASKING):
            raise CaptureError(f"{name} gives what depends on values, and has to ask the device")
        for tensor in _tensors(node.meta.get("val")):
            if tensor.device != device:
                raise CaptureError(f"{name} computes on the {tensor.device.type}")


def _indices(node: fx.Node) -> list[Tensor]:
    """Return what a node takes for indices: of the graph's tensors their descriptions."""
    schema = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema is not None else []
    if "indices" not in names or names.index("indices") >= len(node.args):
        return []
    given = node.args[names.index("indices")]
    many = given if isinstance(given, list | tuple) else [given]
    return [t for one in many if isinstance(one, fx.Node) for t in _tensors(one.meta.get("val"))]


def _tensors(value: Any) -> list[Tensor]:
    many = value if isinstance(value, list | tuple) else [value]
    return [one for one in many if isinstance(one, Tensor)]


@cache
def _side_stream(index: int) -> torch.cuda.Stream:
    """Return the stream that a device's graphs are recorded on; no graph can be on the default."""
    return torch.cuda.Stream(device=index)  # type: ignore[no-untyped-call]


def _recorded(function: Callable[[], Tensor], stream: torch.cuda.Stream) -> Callable[[], Tensor]:
    """Record a function on the current device, with memory of the recording's own."""
    recording, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    cause: Exception | None = None
    try:
        with (
            torch.cuda.stream(torch.cuda.current_stream()),  # some versions leave the other one
            _keeping_garbage(),
            torch.cuda.graph(
                recording, pool=pool, stream=stream, capture_error_mode="thread_local"
            ),
        ):
            try:
                output = function()
            except Exception as error:  # what ends the recording then only says that it failed
                cause = error
                raise
    except Exception as error:
        _mend(pool)
        raise cause or error from None

    def replay() -> Tensor:
        recording.replay()
        return output

    return replay


@contextmanager
def _keeping_garbage() -> Iterator[None]:
    """Collect no garbage inside: a graph among it cannot be destroyed during a recording."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _mend(pool: Any) -> None:
    """Put the current device in order after a recording that failed.

    Some versions of PyTorch leave its allocator and its random stream in a recording.
    """
    index = torch.cuda.current_device()
    with suppress(RuntimeError):  # of a version that has seen to it
        torch._C._cuda_endAllocateToPool(index, pool)
        torch._C._cuda_releasePool(index, pool)
    common, fresh = torch.cuda.default_generators[index], torch.Generator(f"cuda:{index}")
    fresh.set_state(common.get_state())
    common.graphsafe_set_state(fresh.graphsafe_get_state())
