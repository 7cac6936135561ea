"""What a SLURM job runs. Loaded there by submitit, so it imports nothing heavy."""

from collections.abc import Mapping, Sequence
from typing import Any

from ._child import Child


class Job:
    """A command, which is simply run again when the job is put back into the queue.

    Parameters
    ----------
    command : sequence of str
        As ``portable`` returns it.
    environment : mapping of str to str
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command, self.environment = tuple(command), dict(environment)
        self._child: Child | None = None

    def __call__(self) -> None:
        """Run the command to its end.

        Raises
        ------
        RuntimeError
            If it ends otherwise than with exit code 0, so that the job counts as failed.
        """
        self._child = Child(self.command, self.environment)
        code = self._child.wait()
        if code:
            raise RuntimeError(f"the command ended with exit code {code}")

    def checkpoint(self) -> Any:
        """Let the command keep a checkpoint and end; return what goes on in its place.

        submitit calls this when the job's time is over, or it is preempted.
        """
        from submitit.helpers import DelayedSubmission

        if self._child is not None:
            self._child.end()
        return DelayedSubmission(Job(self.command, self.environment))
