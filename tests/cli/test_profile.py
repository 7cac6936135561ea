"""``ganbench run --profile``: shares of a step, and traces that can be opened."""

import json
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from torch.autograd import DeviceType

from ganbench.cli.main import cli
from ganbench.cli.profile import Profile, profile_lines, spent_in_hooks, spent_in_operations

STUDY = """
name: profiled
question: Where does the time go?
dataset: {name: ring, samples: 200}
baseline:
  architecture: {name: mlp, hidden: 4}
  latent: {dimension: 2}
  batch_size: 8
  steps: 5
factors:
  label_smoothing: ["off", "on"]
  mine: ["off", "on"]
seeds: 3
evaluation: {extractor: coordinates, samples: 64, every: 4, batch_size: 64}
"""
TRICK = '''
"""A trick of a test."""

from ganbench.plugin import Trick, TrickParameters


class Mine(Trick):
    """Fails."""

    name = "mine"
    neutral = TrickParameters()

    def transform_images(self, x, is_real, buf):
        raise ValueError("no")
'''


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_arm_has_its_shares_and_its_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "mine.py").write_text(TRICK)
    command = ["run", "study.yaml", "--plugin", "mine.py", "--profile", "--device", "cpu"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1, result.output  # one arm fails
    assert "mine.transform_images raised ValueError: no" in result.output
    assert result.output.count("a step, eager") == 2
    assert "aten::addmm" in result.output
    traces = sorted((tmp_path / "reports/profiled/profiles").iterdir())
    assert [path.name for path in traces] == ["baseline.json", "label-smoothing.json"]
    for path in traces:
        names = {event.get("name") for event in json.loads(path.read_text())["traceEvents"]}
        assert "aten::addmm" in names
        assert ("label_smoothing.transform_targets" in names) == (path.stem == "label-smoothing")
    assert result.output.count("inside hooks") == 1
    assert result.output.count("%  label_smoothing.transform_targets\n") == 1
    # Nothing was trained: a run of the study finds nothing in its way.
    assert [p.name for p in (tmp_path / "reports/profiled").iterdir()] == ["profiles"]


def test_on_a_gpu_a_kernel_counts_once_though_it_is_told_twice():
    # As PyTorch's profiler tells it: the operation with its kernels' time, then the kernel.
    def event(key, device_type, on_device):
        times = {"self_cpu_time_total": 5.0, "self_device_time_total": on_device}
        return SimpleNamespace(key=key, device_type=device_type, **times)

    events = [
        event("aten::mul", DeviceType.CPU, 30.0),
        event("void at::native::vectorized_elementwise_kernel<4>", DeviceType.CUDA, 30.0),
        event("cudaLaunchKernel", DeviceType.CPU, 0.0),
    ]
    assert spent_in_operations(events, torch.device("cuda:0")) == [("aten::mul", 30e-6)]
    assert spent_in_operations(events, torch.device("cpu")) == [("aten::mul", 5e-6)]


def test_hooks_are_told_with_what_they_call_and_nobody_elses():
    def event(key, device_type=DeviceType.CPU, on_device=0.0):
        times = {"cpu_time_total": 7.0, "device_time_total": on_device}
        return SimpleNamespace(key=key, device_type=device_type, **times)

    events = [
        event("ema.after_optimizer_step", on_device=30.0),
        event("ema.after_optimizer_step", DeviceType.CUDA, 30.0),
        event("Optimizer.step#Adam.step"),
        event("aten::mul"),
    ]
    hook = "ema.after_optimizer_step"
    assert spent_in_hooks(events, torch.device("cuda:0"), {"ema"}) == [(hook, 30e-6)]
    assert spent_in_hooks(events[:1] + events[2:], torch.device("cpu"), {"ema"}) == [(hook, 7e-6)]
    assert spent_in_hooks(events, torch.device("cpu"), set()) == []


def test_shares_add_up_to_a_whole():
    shares = tuple((f"aten::op{i}", 0.1) for i in range(7))
    lines = profile_lines(Profile(0.0021, shares, 0.3, "eager"))
    assert lines[0] == "2.1 ms a step, eager"
    assert sum(float(line.partition("%")[0]) for line in lines[1:]) == pytest.approx(100)
