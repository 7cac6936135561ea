"""Launchers, on this machine: what they start runs, ends, is stopped, and is told of."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ganbench_plugins import _library
from ganbench_plugins.launchers import _slurm_job, slurm
from launched import ended, found, pids, until, work

from ganbench.plugin import GanbenchError, Host


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture(params=["local", "slurm"])
def launcher(request, host):
    """Those that can be had on any machine; submitit's own executor stands for SLURM."""
    own = {"executor": "local", "timeout_min": 5} if request.param == "slurm" else {}
    return host.create("launcher", request.param, own)


def test_workers_do_the_work_and_are_told_to_be_done(launcher, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    assert launcher.available() == (True, "")
    handles = launcher.start(work(tmp_path, items=4), 2, {"GREETING": "hello"}, logs)
    assert len(set(handles)) == 2
    assert {one.state for one in ended(launcher, handles).values()} == {"done"}
    assert found(tmp_path, "item") == ["item-0", "item-1", "item-2", "item-3"]
    assert len(found(tmp_path, "began")) == 2
    printed = "".join(path.read_text(errors="replace") for path in logs.glob("*") if path.is_file())
    assert printed.count("at work hello") == 2


def test_a_failure_is_told_with_its_log(launcher, tmp_path):
    command = [sys.executable, "-c", "import sys; print('no such study', file=sys.stderr); exit(2)"]
    (handle,) = launcher.start(command, 1, {}, tmp_path)
    status = ended(launcher, [handle])[handle]
    assert status.state == "failed"
    log = status.detail.rpartition("see ")[2]
    assert "no such study" in Path(log).read_text()


def test_stopping_lets_workers_keep_what_they_have(launcher, tmp_path):
    handles = launcher.start(work(tmp_path, seconds=60), 2, {}, tmp_path)
    until(lambda: len(found(tmp_path, "began")) == 2)
    assert {one.state for one in launcher.poll(handles).values()} == {"running"}
    launcher.stop(handles)
    ended(launcher, handles)
    until(lambda: pids(tmp_path, "stopped") == pids(tmp_path, "began"))
    launcher.stop(handles)  # nothing is left to stop, which is no error


def test_workers_can_be_stopped_where_interrupts_are_ignored(launcher, tmp_path):
    # As in a shell's background job, whose processes ignore them from their start.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        handles = launcher.start(work(tmp_path, seconds=60), 1, {}, tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        until(lambda: found(tmp_path, "began"))
        launcher.stop(handles)
        ended(launcher, handles)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: pids(tmp_path, "stopped") == pids(tmp_path, "began"))


def test_local_workers_are_killed_with_what_they_started(host, tmp_path):
    launcher = host.create("launcher", "local")
    shell = ["sh", "-c", f"trap '' TERM; echo $$ > {tmp_path}/pid; sleep 60 & wait; sleep 60"]
    handles = launcher.start(shell, 1, {}, tmp_path)
    group = until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    launcher.stop(handles, at_once=True)
    status = ended(launcher, handles)[handles[0]]
    assert (status.state, "SIGKILL" in status.detail) == ("failed", True)
    until(lambda: not group_exists(int(group)))


def group_exists(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_preempted_job_keeps_a_checkpoint_and_starts_again(host, tmp_path):
    launcher = host.create("launcher", "slurm", {"executor": "local", "timeout_min": 5})
    handles = launcher.start(work(tmp_path, items=8, seconds=0.5), 1, {}, tmp_path)
    until(lambda: found(tmp_path, "item"))
    (pid,) = pids(tmp_path, "began")
    job = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True).stdout
    os.kill(int(job), signal.SIGUSR2)  # as SLURM does
    assert ended(launcher, handles)[handles[0]].state == "done"
    assert len(found(tmp_path, "item")) == 8
    assert len(pids(tmp_path, "began")) == 2
    assert len(pids(tmp_path, "stopped")) == 1


def test_a_command_ends_with_the_process_that_watches_it(tmp_path):
    code = "import sys; from ganbench_plugins.launchers._child import Child; "
    code += "Child(sys.argv[1:], {}).wait()"
    watcher = subprocess.Popen([sys.executable, "-c", code, *work(tmp_path, seconds=60)])
    (pid,) = until(lambda: pids(tmp_path, "began"))
    watcher.kill()
    watcher.wait()
    until(lambda: pids(tmp_path, "stopped") == [pid])


def test_what_slurm_tells_a_whole_job_does_not_kill_the_command(tmp_path):
    job = _slurm_job.Job(work(tmp_path, items=4, seconds=0.3), {})
    code = "import sys, ganbench_plugins.launchers._slurm_job as j; j.Job(sys.argv[1:], {})()"
    process = subprocess.Popen([sys.executable, "-c", code, *job.command])
    (pid,) = until(lambda: pids(tmp_path, "began"))
    os.kill(pid, signal.SIGUSR2)
    assert process.wait() == 0
    assert len(found(tmp_path, "item")) == 4


@pytest.mark.parametrize(("name", "library"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_missing_library_is_named_with_the_extra_that_brings_it(host, monkeypatch, name, library):
    monkeypatch.setattr(_library, "find_spec", lambda _: None)
    has, reason = host.create("launcher", name).available()
    assert not has
    assert f"the package {library}" in reason
    assert f"pip install 'ganbench[{name}]'" in reason


def test_without_slurm_the_reason_is_given(host, monkeypatch):
    monkeypatch.setattr(slurm.shutil, "which", lambda _: None)
    has, reason = host.create("launcher", "slurm").available()
    assert not has
    assert "no `sbatch` on this machine" in reason


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Programs in place of SLURM's, which keep what they were given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in {
        "sbatch": f'cp "$1" {tmp_path}/submitted && echo Submitted batch job 41',
        "srun": "exit 1",
        "scancel": f"echo $1 >> {tmp_path}/cancelled",
        "sacct": f"cat {tmp_path}/accounts",
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return tmp_path


def test_slurm_is_asked_for_one_array_with_what_the_user_set(host, cluster):
    (cluster / "accounts").write_text(
        "JobID|State|NodeList\n41_0|RUNNING|a\n41_1|PENDING|\n41_2|CANCELLED by 7|b\n"
    )
    own = {"partition": "gpu", "gpus_per_node": 1, "timeout_min": 90, "mem_gb": 7.5}
    own |= {"array_parallelism": 2, "setup": ["module load cuda"], "sbatch": {"requeue": True}}
    launcher = host.create("launcher", "slurm", own)
    handles = launcher.start(work(cluster), 3, {}, cluster / "logs")
    assert handles == ["job 41_0", "job 41_1", "job 41_2"]
    lines = (cluster / "submitted").read_text().splitlines()
    wanted = ["partition=gpu", "gpus-per-node=1", "time=90", "mem=7680MB", "array=0-2%2"]
    wanted += ["requeue", "signal=USR2@120", "job-name=ganbench"]
    assert [one for one in wanted if f"#SBATCH --{one}" not in lines] == []
    assert lines.index("module load cuda") < next(
        number for number, line in enumerate(lines) if line.startswith("srun ")
    )
    states = launcher.poll(handles)
    assert [one.state for one in states.values()] == ["running", "waiting", "failed"]
    assert "cancelled by 7" in states["job 41_2"].detail
    launcher.stop(handles)
    assert (cluster / "cancelled").read_text().split() == ["41_0", "41_1"]


def test_a_submission_that_slurm_refuses_is_told(host, cluster):
    (cluster / "bin" / "sbatch").write_text("#!/bin/sh\necho invalid partition >&2\nexit 1\n")
    with pytest.raises(GanbenchError, match=r"cannot be submitted: (.|\n)*invalid partition"):
        host.create("launcher", "slurm").start(work(cluster), 2, {}, cluster / "logs")


def test_a_command_that_is_not_there_is_told(host, tmp_path):
    with pytest.raises(GanbenchError, match="no-such-program cannot be started"):
        host.create("launcher", "local").start(["no-such-program"], 1, {}, tmp_path)
