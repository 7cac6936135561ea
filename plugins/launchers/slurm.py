"""Jobs of SLURM, as one array, through submitit.

How to use
    Where ``sbatch`` is, in a folder that all nodes share, since jobs are found, and their logs
    kept, in the report's folder. A job that reaches its time limit, or is preempted, keeps a
    checkpoint and is put back into the queue by submitit; one that SLURM puts back itself
    (``--requeue``) starts again just as well.

Trying it out
    ``executor=local`` runs the same jobs on this machine, without SLURM.

Source
    https://github.com/facebookincubator/submitit
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from ganbench.plugin import Field, GanbenchError, Launcher, LauncherParameters, WorkerStatus

from .._library import installed
from ._child import portable
from ._interrupts import interruptible
from ._slurm_job import Job

WAITING = ("PENDING", "REQUEUED", "PREEMPTED", "READY")
SIGNAL_SECONDS = 120
"""How long before its time is over a job is told so."""


class Slurm(Launcher):
    """Start the jobs of one SLURM array, which are put back into the queue when preempted."""

    name = "slurm"

    class Parameters(LauncherParameters):
        executor: Literal["slurm", "local"] = "slurm"
        """submitit's executor; ``local``: on this machine, without SLURM."""
        partition: str | None = None
        """Of the cluster; its default if not given."""
        account: str | None = None
        """Whom the jobs are charged to."""
        qos: str | None = None
        """Quality of service."""
        constraint: str | None = None
        """Features that a node must have."""
        timeout_min: Annotated[int, Field(ge=1)] = 240
        """Minutes until a job is put back into the queue."""
        requeues: Annotated[int, Field(ge=0)] = 1000
        """How often a job is put back because its time was over."""
        cpus_per_task: Annotated[int, Field(ge=1)] = 1
        """Cores of a job."""
        gpus_per_node: Annotated[int, Field(ge=0)] = 0
        """GPUs of a job."""
        mem_gb: Annotated[float, Field(gt=0)] | None = None
        """Memory of a job; the cluster's default if not given."""
        array_parallelism: Annotated[int, Field(ge=1)] = 256
        """How many jobs run at a time, at most."""
        setup: tuple[str, ...] = ()
        """Lines of shell before the job, such as ``module load cuda``."""
        python: str | None = None
        """The Python of the nodes, if it is not found where this one is."""
        sbatch: dict[str, str | int | bool] = Field(default_factory=dict)
        """Any other options of ``sbatch``: ``{requeue: true, reservation: gans}``."""

    def __init__(self, parameters: LauncherParameters) -> None:
        super().__init__(parameters)
        self._jobs: dict[str, Any] = {}

    def available(self) -> tuple[bool, str]:
        has, reason = installed("submitit", "slurm")
        if has and self.parameters.executor == "slurm" and shutil.which("sbatch") is None:
            return False, (
                "there is no `sbatch` on this machine; start it where jobs are submitted, or try "
                "it out with executor=local"
            )
        return has, reason

    def start(
        self, command: Sequence[str], count: int, environment: Mapping[str, str], folder: Path
    ) -> Sequence[str]:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            executor = self._executor(folder)
            with interruptible(), executor.batch():
                jobs = [executor.submit(Job(portable(command), environment)) for _ in range(count)]
        except (FailedJobError, FailedSubmissionError, RuntimeError, OSError) as error:
            raise GanbenchError(f"the jobs cannot be submitted: {error}") from error
        started = {f"job {job.job_id}": job for job in jobs}
        self._jobs.update(started)
        return list(started)

    def poll(self, handles: Sequence[str]) -> Mapping[str, WorkerStatus]:
        return {handle: _status(self._jobs[handle]) for handle in handles}

    def stop(self, handles: Sequence[str], at_once: bool = False) -> None:
        # `scancel` sends SIGTERM, and SIGKILL when the cluster's KillWait is over: both are here.
        for handle in handles:
            if not self._jobs[handle].done():
                self._jobs[handle].cancel(check=False)

    def _executor(self, folder: Path) -> Any:
        from submitit import AutoExecutor

        own = self.parameters
        cluster = {f"{own.executor}_max_num_timeout": own.requeues}
        if own.python is not None:
            cluster[f"{own.executor}_python"] = own.python
        executor = AutoExecutor(folder, cluster=own.executor, **cluster)
        options = {
            "name": "ganbench",
            "timeout_min": own.timeout_min,
            "cpus_per_task": own.cpus_per_task,
            "gpus_per_node": own.gpus_per_node or None,
            "mem_gb": own.mem_gb,
            "slurm_partition": own.partition,
            "slurm_account": own.account,
            "slurm_qos": own.qos,
            "slurm_constraint": own.constraint,
            "slurm_array_parallelism": own.array_parallelism,
            "slurm_signal_delay_s": SIGNAL_SECONDS,
            "slurm_setup": list(own.setup) or None,
            "slurm_additional_parameters": own.sbatch or None,
        }
        executor.update_parameters(**{k: v for k, v in options.items() if v is not None})
        return executor


def _status(job: Any) -> WorkerStatus:
    log = f"see {job.paths.stderr}"
    if job.paths.result_pickle.exists():
        return WorkerStatus("done") if job.exception() is None else WorkerStatus("failed", log)
    ended = job.done()
    state = job.state.upper()
    if not ended:
        return WorkerStatus("waiting" if state in WAITING else "running")
    if job.paths.result_pickle.exists() and job.exception() is None:
        return WorkerStatus("done")  # it ended between the two looks
    return WorkerStatus("failed", f"{state.lower()}; {log}")
