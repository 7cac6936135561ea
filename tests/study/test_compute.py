import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from ganbench.study.compute import set_up_torch

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(2**26)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

set_up_torch("cpu")
print(faults(), faults(), 2**26 // resource.getpagesize())
"""
NEW_TENSOR = """
import torch
from ganbench.study.compute import set_up_torch

set_up_torch("cpu")
# Whatever lies there by chance, it is not NaN throughout.
print(torch.empty(1000).isnan().all().item(), torch.are_deterministic_algorithms_enabled())
"""


def told(program: str) -> list[str]:
    """Return what a fresh process prints: what is set up lasts as long as the process."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the allocator of glibc")
def test_memory_that_was_freed_is_used_again_without_asking_the_system():
    _, second, pages = map(int, told(FAULTS))
    assert second < pages / 100


def test_new_tensors_are_not_filled_and_operations_still_have_to_be_deterministic():
    assert told(NEW_TENSOR) == ["False", "True"]
