"""Becomes the command that it is given, tied to the life of the process that started it.

Where a scheduler kills the process that watches a command, nobody would be left to end the
command, and it would go on with a share of a machine that is somebody else's by then.

Usage: ``python -m ganbench_plugins.launchers._leash PARENT COMMAND…``, where PARENT is the
parent's process number.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when its parent dies. Linux has it alone."""


def main() -> None:
    """Tie this process, ignore what is meant for the parent, and become the command."""
    parent, *command = sys.argv[1:]
    # SLURM tells every process of a job step that its time is nearly over. The parent ends
    # the command then; by itself this signal would kill it without a checkpoint.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit("the process that started this one is gone")
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
