"""Settings, back-off and the times by which somebody must look again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.services.orders import transitions
from parcelgate.services.redelivery import backoff
from parcelgate.services.settings import MissingSettingError, Settings


def test_a_missing_variable_is_named_when_it_is_asked_for() -> None:
    settings = Settings({})
    with pytest.raises(MissingSettingError, match="PARCELGATE_TABLE"):
        _ = settings.table


def test_times_have_defaults_and_can_be_set() -> None:
    assert Settings({}).order_deadline == timedelta(minutes=30)
    assert Settings({"PARCELGATE_ORDER_DEADLINE": "300"}).order_deadline == timedelta(minutes=5)


def test_the_base_url_has_no_slash_at_its_end() -> None:
    assert Settings({"PARCELGATE_WEBHOOK_BASE_URL": "https://x/y/"}).webhook_base_url == "https://x/y"


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_back_off_stays_below_its_doubling_limit_and_its_cap(attempt: int, roll: float) -> None:
    first, cap = timedelta(seconds=2), timedelta(seconds=60)
    pause = backoff(attempt, first=first, cap=cap, roll=roll)
    assert timedelta(0) <= pause <= min(cap, first * 2 ** min(attempt - 1, 20))


def test_whoever_watches_comes_after_the_regular_machinery() -> None:
    at, settings = datetime(2026, 11, 21, tzinfo=UTC), Settings({})
    assert transitions.workflow_ends(settings, at) - at > settings.order_deadline
    assert transitions.refund_ends(settings, at) - at > settings.refund_deadline
    assert transitions.retries_end(settings, at) - at > transitions.RETRY_LIFE
