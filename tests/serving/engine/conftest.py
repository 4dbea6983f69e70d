"""Runners that wait for a test."""

from collections.abc import Iterator

import pytest

from .holding import Held


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.release()
    made.pool.shutdown()
