"""An empty folder, and what loads the data set of the pictures in it."""

import pytest

from ganbench.data.load import load_data
from ganbench.plugin import Host


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def load(host, tmp_path, pictures):
    def load(path=None, progress=None, **parameters):
        given = {"path": str(path or pictures), "size": 8, **parameters}
        return load_data("folder", given, host, tmp_path / "root", progress)

    return load
