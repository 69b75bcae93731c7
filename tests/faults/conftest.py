"""The world that the fault tests share."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.world import World, worlds


@pytest.fixture
def new_world() -> Iterator[Callable[..., World]]:
    with worlds() as make:
        yield make


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()
