"""The compiler itself: it fails, it is not there, it warns of what does not matter here."""

import logging

import pytest
import torch
from surface_trials import trial

from ganbench.config.model import Execution
from ganbench.training import compiled

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def test_a_failure_of_the_compiler_is_told(monkeypatch):
    def fail(graph, arguments):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(torch._inductor, "compile", fail)
    monkeypatch.setattr(compiled, "_functions", {})
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: "g++")
    running = trial(architecture="mlp", execution=Execution(backend="compiled"))
    running.advance(3)
    assert running.execution == {
        "backend": "eager",
        "reason": "the compiler failed: RuntimeError: no compiler here",
    }


def test_a_cpu_without_a_compiler_is_told_before_anything_is_traced():
    from torch._inductor import config

    compiled.cpp_compiler.cache_clear()
    try:
        with config.patch({"cpp.cxx": (None, "no-such-compiler")}):
            running = trial(architecture="mlp", execution=Execution(backend="compiled"))
            running.advance(3)
    finally:
        compiled.cpp_compiler.cache_clear()
    assert running.execution == {
        "backend": "eager",
        "reason": "PyTorch's compiler finds no C++ compiler (CXX names one)",
    }


def test_a_toolkit_without_a_gpu_is_not_told_and_all_else_is(monkeypatch):
    logger = logging.getLogger("torch.utils.cpp_extension")
    told = []
    listener = logging.Handler()
    listener.emit = lambda record: told.append(record.getMessage())
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "handlers", [listener])

    def compile(graph, arguments):
        logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", "/usr/local/cuda")
        logger.warning("the compiler is older than needed")
        return graph

    monkeypatch.setattr(torch._inductor, "compile", compile)
    compiled.inductor(None, [])
    assert told == ["the compiler is older than needed"]
