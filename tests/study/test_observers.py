from ganbench.plugin import Host
from ganbench.study.observers import Observers

BROKEN = """
from ganbench.plugin import hookimpl

@hookimpl
def on_trial_end(arm, outcome):
    raise OSError(f"no place for {arm}")
"""
LOGGER = """
from ganbench.plugin import hookimpl

seen = []

@hookimpl
def on_trial_end(arm, seed):
    seen.append((arm, seed))
"""


def test_an_observer_that_raises_is_reported_once_and_stops_nobody(tmp_path):
    files = []
    for name, text in (("first", BROKEN), ("logger", LOGGER), ("second", BROKEN)):
        files.append(tmp_path / f"{name}.py")
        files[-1].write_text(text)
    host = Host(files, entry_points=False)
    warnings = []
    observers = Observers(host, warnings.append)
    for seed in (0, 1):
        observers.notify("on_trial_end", arm="baseline", seed=seed, outcome="complete")
    assert len(warnings) == 2  # one for each plugin
    assert all("OSError: no place for baseline" in text for text in warnings)
    logger = next(
        implementation.function.__globals__
        for implementation in host.hook.on_trial_end.get_hookimpls()
        if "seen" in implementation.function.__globals__
    )
    assert logger["seen"] == [("baseline", 0), ("baseline", 1)]
