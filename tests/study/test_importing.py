"""What is imported without anybody looking for garbage."""

import gc

import pytest

from ganbench.study.importing import without_collection


@pytest.fixture(autouse=True)
def as_before():
    yield
    gc.unfreeze()
    gc.enable()


def test_nobody_looks_for_garbage_inside_and_somebody_does_after_it():
    with without_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collection_stays_off_where_it_was_off():
    gc.disable()
    with without_collection():
        pass
    assert not gc.isenabled()


def test_it_is_on_again_after_an_import_that_fails():
    with pytest.raises(ModuleNotFoundError), without_collection():
        raise ModuleNotFoundError("no such module")
    assert gc.isenabled()


def test_what_came_into_being_inside_is_looked_through_no_more():
    with without_collection():
        made = [[] for _ in range(1000)]
    looked_through = {id(one) for one in gc.get_objects()}
    assert looked_through.isdisjoint(map(id, made))
