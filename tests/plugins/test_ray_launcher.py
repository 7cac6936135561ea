"""The launcher `ray`, on a real cluster of two nodes on this machine."""

import os
from pathlib import Path

import pytest
from ganbench_plugins.launchers._interrupts import interruptible
from launched import ended, found, pids, until, work

from ganbench.plugin import Host

pytestmark = pytest.mark.filterwarnings(
    # Ray leaves its connections and processes for the interpreter to close.
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:Tip. In future versions of Ray:FutureWarning",
)


@pytest.fixture(scope="module")
def cluster():
    """A head and a second node, with a core each."""
    ray = pytest.importorskip("ray")
    utils = pytest.importorskip("ray.cluster_utils")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        size = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        with interruptible():
            made = utils.Cluster(initialize_head=True, head_node_args=size)
        try:
            with interruptible():
                made.second = made.add_node(num_cpus=1, object_store_memory=80 << 20)
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


@pytest.fixture(scope="module")
def launcher(cluster):
    made = Host().create("launcher", "ray", {"address": cluster.address, "max_retries": 3})
    assert made.available() == (True, "")
    return made


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_stopping_lets_workers_keep_what_they_have(launcher, tmp_path):
    handles = launcher.start(work(tmp_path, seconds=60), 1, {"GREETING": "hello"}, tmp_path)
    until(lambda: found(tmp_path, "began"))
    assert launcher.poll(handles)[handles[0]].state == "running"
    launcher.stop(handles)
    assert ended(launcher, handles)[handles[0]].state == "failed"
    until(lambda: pids(tmp_path, "stopped") == pids(tmp_path, "began"))
    launcher.stop(handles)  # nothing is left to stop, which is no error
    (log,) = tmp_path.glob("ray-*.log")
    assert "at work hello" in log.read_text()


def test_a_failure_is_told_with_its_log(launcher, tmp_path):
    handles = launcher.start(["sh", "-c", "echo no such study; exit 2"], 1, {}, tmp_path)
    status = ended(launcher, handles)[handles[0]]
    assert (status.state, status.detail.partition(";")[0]) == ("failed", "exit code 2")
    assert "no such study" in Path(status.detail.rpartition("see ")[2]).read_text()


def test_a_node_is_killed_and_the_other_does_the_rest(cluster, launcher, tmp_path):
    handles = launcher.start(work(tmp_path, items=30, seconds=0.3), 2, {}, tmp_path)
    until(lambda: len(found(tmp_path, "began")) == 2 and found(tmp_path, "item"))
    cluster.remove_node(cluster.second, allow_graceful=False)
    states = ended(launcher, handles)
    assert {one.state for one in states.values()} == {"done"}
    assert len(found(tmp_path, "item")) == 30
    # One of the first two lived on the node that was killed, and ended with it; Ray started
    # that worker once more, on the node that was left.
    began, finished = pids(tmp_path, "began"), pids(tmp_path, "finished")
    assert (len(began), len(finished)) == (3, 2)
    until(lambda: not any(alive(pid) for pid in began))
