import pytest

from ganbench.study import pace
from ganbench.study.pace import REST_SHARE, Pace


@pytest.mark.parametrize(("took", "rest"), [(0.01, 2.0), (1.5, 1.5 * REST_SHARE)])
def test_what_takes_long_is_done_the_less_often(monkeypatch, took, rest):
    now = 100.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: now)
    looks = Pace(2.0)
    assert looks.is_due
    with looks.taken():
        now += took
    now += rest - 0.01
    assert not looks.is_due
    now += 0.02
    assert looks.is_due
