"""Who asks for a label before it was fetched has it fetched, whichever carrier it is."""

from typing import Any

import pytest

from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import LabelStatus, OrderStatus
from parcelgate.services.labels.documents import LabelStore
from parcelgate.services.labels.fetch import LabelFetcher
from parcelgate.services.labels.links import LabelViewer
from tests.support.aws import FakeS3
from tests.support.fake_carriers import Behaviour, OnlyCarrier
from tests.support.orders import an_event, an_order
from tests.support.world import World


class Links(FakeS3):
    """The bucket, and links to it."""

    def generate_presigned_url(self, *_: Any, **given: Any) -> str:
        return f"https://s3.test/{given['Params']['Key']}"


@pytest.mark.parametrize("carrier", ["lso", "ubi", "lme"])
def test_an_early_get_fetches_too(carrier: str, world: World) -> None:
    s3: Any = Links()
    fetcher = LabelFetcher(
        table=world.table,
        carriers=OnlyCarrier(world.carrier),
        labels=lambda: LabelStore(s3, "labels"),
        clock=world.clock,
    )
    viewer = LabelViewer(world.table, s3, "labels", lambda: fetcher, clock=world.clock)
    order = an_order(carrier=carrier, status=OrderStatus.CONFIRMED, at=world.clock.now)
    world.table.tenant("acme").orders.add(order, an_event())
    world.carrier.behaviour = Behaviour(no_label=1)

    assert viewer.label("acme", order.id, Deadline.after(8)) is None
    label = viewer.label("acme", order.id, Deadline.after(8))

    assert label is not None
    assert label.whole is not None
    assert world.order(order).label.status is LabelStatus.READY
