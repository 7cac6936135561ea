"""The process that workers are forks of: when it starts, and how it ends."""

import subprocess
import sys

import pytest

from ganbench.study import forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked under Linux")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture
def served(monkeypatch):
    """Return how often the process was started, on a machine without a GPU's driver."""
    calls = []
    monkeypatch.setattr(forks, "serve", lambda: calls.append(1))
    monkeypatch.setattr(forks, "DRIVERS", ())
    monkeypatch.delitem(sys.modules, "torch")
    return calls


def test_it_can_be_started_before_anything_heavy_is_imported():
    done = python("import sys, ganbench.study.forks\nprint('torch' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize(
    ("device", "times"), [("auto", 1), ("cpu", 1), ("cuda", 0), ("cuda:1", 0), ("mps", 0)]
)
def test_it_is_foreseen_where_workers_will_be_forks(served, device, times):
    forks.foresee(device)
    assert len(served) == times


def test_it_is_not_foreseen_where_auto_is_a_gpu(served, monkeypatch, tmp_path):
    monkeypatch.setattr(forks, "DRIVERS", (str(tmp_path),))
    forks.foresee("auto")
    assert not served
    forks.foresee("cpu")
    assert served


def test_it_is_not_foreseen_by_a_process_that_has_imported_torch(served, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys)
    forks.foresee("cpu")
    assert not served


def test_it_ends_without_taking_its_imports_apart():
    done = python(
        "import atexit\natexit.register(print, 'taken apart')\n"
        "import ganbench.study.preloaded\nprint('end', flush=True)"
    )
    assert (done.stdout, done.returncode) == ("end\n", 0)


def test_it_has_imported_the_plugins_and_what_optimizers_begin_with():
    done = python(
        "import sys, ganbench.study.preloaded\n"
        "wanted = ('torch._dynamo', 'ganbench_plugins.tricks.label_smoothing')\n"
        "print([name in sys.modules for name in wanted], flush=True)"
    )
    assert done.stdout == "[True, True]\n", done.stderr
