"""How far a study is, counted from what workers and the ledger tell."""

from ganbench.study.progress import Progress
from ganbench.study.records import Cell


def test_a_configuration_that_another_machine_came_to_and_that_does_not_apply_is_no_error():
    progress = Progress({"known": 8})
    cells = [Cell("baseline", seed, "known", "f") for seed in (0, 1)]
    progress.count_in(cells, cells, ())
    progress.withdraw("drawn elsewhere, and not heard of here yet")
    assert progress.total == 2
    progress.withdraw("known")
    assert progress.total == 0
