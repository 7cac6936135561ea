"""What must be in a worker's environment before it imports torch, which this module does not."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def worker_environment(device: str) -> Mapping[str, str]:
    """Return the variables of a device's workers."""
    if device == "cpu":
        return dict.fromkeys(THREAD_VARIABLES, "1")
    # cuBLAS is deterministic only with a workspace of a fixed size.
    return {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


@contextmanager
def environment_of_workers(device: str) -> Iterator[None]:
    """Add them to the environment that a process started inside inherits."""
    values = worker_environment(device)
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
