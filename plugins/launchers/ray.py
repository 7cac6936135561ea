"""Tasks of Ray, each with its share of cores and of a GPU.

How to use
    On a machine of a Ray cluster whose nodes have ganbench installed. ``num_gpus=0.5`` puts two
    workers on each GPU. A task whose node is lost is started again on another, by Ray.

Technical details
    A worker sees the GPUs of its share alone: without ``num_gpus`` none. What it prints goes to a
    log below the report's folder, on its own node if that is not shared. The tasks end with the
    process that started them.

Source
    https://docs.ray.io
"""

import os
from collections.abc import Mapping, Sequence
from itertools import count as numbers
from pathlib import Path
from typing import Annotated, Any

from ganbench.plugin import Field, GanbenchError, Launcher, LauncherParameters, WorkerStatus

from .._library import installed
from ._child import portable, run
from ._interrupts import interruptible


class Ray(Launcher):
    """Start tasks of Ray, which are started again elsewhere when their node is lost."""

    name = "ray"

    class Parameters(LauncherParameters):
        address: str | None = None
        """Of the cluster; if not given what ``RAY_ADDRESS`` says, or the cluster of this machine,
        or else one that is started here and ends with the command."""
        num_cpus: Annotated[float, Field(gt=0)] = 1.0
        """Cores of a worker, as Ray counts them."""
        num_gpus: Annotated[float, Field(ge=0)] = 0.0
        """GPUs of a worker: 0.5 for two workers on each."""
        resources: dict[str, float] = Field(default_factory=dict)
        """Resources of your cluster's own."""
        max_retries: Annotated[int, Field(ge=-1)] = 10
        """How often a worker is started again after its node was lost; -1: always."""

    def __init__(self, parameters: LauncherParameters) -> None:
        super().__init__(parameters)
        self._tasks: dict[str, Any] = {}
        self._logs: dict[str, Path] = {}
        self._numbers = numbers()

    def available(self) -> tuple[bool, str]:
        return installed("ray", "ray")

    def start(
        self, command: Sequence[str], count: int, environment: Mapping[str, str], folder: Path
    ) -> Sequence[str]:
        import ray

        own = self.parameters
        self._connect()
        task = ray.remote(
            num_cpus=own.num_cpus,
            num_gpus=own.num_gpus,
            resources=own.resources,
            max_retries=own.max_retries,
        )(run)
        # Ray may leave a task without a share of a GPU the sight of all of them.
        hidden = {} if own.num_gpus else {"CUDA_VISIBLE_DEVICES": ""}
        own_environment = {**hidden, **environment}
        started = []
        for _ in range(count):
            number = next(self._numbers)
            log = folder / f"ray-{os.getpid()}-{number}.log"
            handle = f"task {number}"
            self._tasks[handle] = task.remote(portable(command), own_environment, str(log))
            self._logs[handle] = log
            started.append(handle)
        return started

    def poll(self, handles: Sequence[str]) -> Mapping[str, WorkerStatus]:
        return {handle: self._status(handle) for handle in handles}

    def stop(self, handles: Sequence[str], at_once: bool = False) -> None:
        import ray

        for handle in handles:
            ray.cancel(self._tasks[handle], force=at_once)

    def _connect(self) -> None:
        import ray

        if ray.is_initialized():
            return
        # A cluster that is started here tells nobody of it, unless its user wants that.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            with interruptible():
                ray.init(
                    address=self.parameters.address, log_to_driver=False, logging_level="WARNING"
                )
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise GanbenchError(f"Ray cannot be reached: {error}") from error

    def _status(self, handle: str) -> WorkerStatus:
        import ray

        task = self._tasks[handle]
        if not ray.wait([task], timeout=0)[0]:
            return WorkerStatus("running")
        try:
            code = ray.get(task)
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            return WorkerStatus("failed", reason[-1])
        if code == 0:
            return WorkerStatus("done")
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        return WorkerStatus("failed", f"{how}; see {self._logs[handle]}")
