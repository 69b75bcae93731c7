from types import SimpleNamespace

from parcelgate.domain.deadline import Deadline


def test_it_is_the_end_of_the_invocation_whenever_it_is_asked() -> None:
    left = [60_000, 59_500]
    deadline = Deadline.of(SimpleNamespace(get_remaining_time_in_millis=lambda: left.pop(0)))
    assert deadline.remaining() == 60
    assert deadline.remaining() == 59.5


def test_what_is_kept_back_is_gone_and_the_earlier_end_counts() -> None:
    deadline = Deadline(lambda: 30.0)
    assert deadline.minus(5).remaining() == 25
    assert deadline.within(60).remaining() == 30
    assert 9 < deadline.within(10).remaining() <= 10
    assert deadline.within(10).minus(12).remaining() < 0


def test_it_has_passed_once_nothing_is_left() -> None:
    assert Deadline(lambda: 0.0).passed
    assert not Deadline.after(5).passed
    assert Deadline.after(5).minus(5).passed
