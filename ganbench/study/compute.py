"""The machine: which devices there are, how many workers they take, how torch is set up."""

import ctypes
import os
import platform
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from ganbench.plugin import GanbenchError
from ganbench.study.environment import worker_environment

KEPT_BYTES = 2**28
"""How large a block may be, and how much may lie free, before it goes back to the system."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""As ``malloc.h`` of glibc counts them."""
LIBRARIES = ("ganbench", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "optuna")


def usable_cores() -> int:
    """Return how many cores this process may use: its affinity, within its cgroup's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no such file, or "max": no quota
    return cores


def choose_devices(wanted: str) -> tuple[str, ...]:
    """Return the devices that a run may use, for what ``--device`` says.

    Parameters
    ----------
    wanted : str
        ``auto``, ``cpu``, ``cuda`` (every GPU), ``cuda:N`` or ``mps``.

    Raises
    ------
    GanbenchError
        If there is no such device.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if wanted == "auto":
        wanted = "cuda" if gpus else "mps" if has_mps else "cpu"
    if wanted == "cpu":
        return ("cpu",)
    if wanted == "mps" and has_mps:
        return ("mps",)
    if wanted == "cuda" and gpus:
        return tuple(f"cuda:{index}" for index in range(gpus))
    kind, _, number = wanted.partition(":")
    if kind == "cuda" and number.isdecimal() and int(number) < gpus:
        return (wanted,)
    numbered = ("cuda", *(f"cuda:{index}" for index in range(gpus))) if gpus else ()
    here = ("auto", "cpu", *numbered, *(("mps",) if has_mps else ()))
    raise GanbenchError(
        f"--device {wanted}: there is no such device here, expected one of {', '.join(here)}"
    )


def default_workers(devices: tuple[str, ...]) -> int:
    """Return one worker a GPU, or one a core on a CPU: measured to be the fastest there."""
    return usable_cores() if devices == ("cpu",) else len(devices)


def keep_memory() -> bool:
    """Have this process keep the memory that it frees, for what it needs next; False if it cannot.

    The C library gives large blocks back to the system, which hands them out page by page and
    cleared: the maps of a convolutional step anew in each step, for a tenth of its time.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # Older ones take no larger threshold for blocks of their own than half a heap.
    own = any(libc.mallopt(_MMAP_THRESHOLD, size) for size in (KEPT_BYTES, 2**25))
    return own and bool(libc.mallopt(_TRIM_THRESHOLD, KEPT_BYTES))


def set_up_torch(device: str) -> None:
    """Set this process up so that equal inputs give equal results, bit for bit.

    On a CPU that holds by PyTorch's word; sums come out differently for different numbers
    of threads, so there is one. On a GPU an operation without a deterministic variant runs
    as it is. To be called before any work on the device: cuBLAS looks at the environment once.
    """
    import torch
    from torch.utils import deterministic

    # Else each new tensor is filled with NaN, for whoever would read what was never written.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # `torch.use_deterministic_algorithms` does the same, and loads PyTorch's compiler to tell it,
    # which takes a second in each process; what compiles asks for itself.
    if device == "cpu":
        keep_memory()
        torch.set_num_threads(1)
        torch.set_deterministic_debug_mode("error")
        return
    os.environ.update(worker_environment(device))
    torch.backends.cudnn.benchmark = False
    torch.set_deterministic_debug_mode("warn")
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")


def describe_environment(devices: tuple[str, ...], workers: int) -> dict[str, Any]:
    """Return versions, hardware, threads and workers, for the report."""
    import torch

    names = {
        torch.cuda.get_device_name(device) if device.startswith("cuda") else device
        for device in devices
    }
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": usable_cores(),
        "devices": ", ".join(sorted(names)),
        "workers": workers,
        "threads a worker": 1 if devices == ("cpu",) else torch.get_num_threads(),
        "deterministic": "yes" if devices == ("cpu",) else "where the device can",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine() or sys.platform
