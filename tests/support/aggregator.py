"""An aggregator in memory. `FakeAggregator().in_place()` puts it into the registry in place of the real one.

It can refuse a number, be down, and do what is asked while its answer is lost.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.errors import CarrierError, RefusedError
from parcelgate.carriers.port import CarrierProfile, graded
from parcelgate.carriers.results import (
    Amendment,
    Area,
    Courier,
    Followed,
    Following,
    ParcelHistory,
    Route,
    TransitTimes,
    Waybill,
)
from parcelgate.domain.problems import CarrierWords, FieldError

NAME = "trackingmore"
PROFILE = CarrierProfile(
    code=NAME,
    name="FakeAggregator",
    services=(),
    countries=(),
    max_parcels=0,
    label_formats=(),
    grades=graded(
        documented="follow",
    ),
    track_batch=40,
)
WEBHOOK_ANSWER = None


class FakeAggregator:
    """Everything that was told to it, and by which calls, over all its accounts."""

    def __init__(self) -> None:
        self.followed: dict[tuple[str, Waybill], Following] = {}
        self.amended: list[Amendment] = []
        self.paused: list[Waybill] = []
        self.forgotten: list[Waybill] = []
        self.calls: Counter[str] = Counter()
        self.likely = [Courier(code="china-ems", name="China EMS")]
        self.sizes: list[int] = []
        self.refused: dict[str, CarrierError] = {}
        self.histories: dict[str, ParcelHistory] = {}
        self.corrects: dict[str, str] = {}
        self.down: CarrierError | None = None
        self.afterwards: Callable[[], None] = lambda: None

    @contextmanager
    def in_place(self) -> Iterator["FakeAggregator"]:
        """Stand where the real aggregator stands."""
        global _standing
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(registry.AGGREGATORS, NAME, __name__)
            for remembered in ("profile", "adapter"):
                patch.setattr(registry, remembered, getattr(registry, remembered).__wrapped__)
            patch.setitem(sys.modules, f"{__name__}.adapter", sys.modules[__name__])
            _standing = self
            yield self

    def refuse(self, number: str) -> None:
        error = FieldError("/tracking_number", "invalid", "It says: no such number.")
        words = CarrierWords("FakeAggregator", "4014", "tracking_number invalid")
        self.refused[number] = RefusedError("no", words=words, errors=[error])

    def called(self, name: str, size: int = 1) -> None:
        self.calls[name] += 1
        self.sizes.append(size)
        if self.down is not None:
            raise self.down

    def each(self, name: str, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        self.called(name, len(waybills))
        return [self.refused.get(waybill.tracking_number) for waybill in waybills]


_standing = FakeAggregator()


class Adapter:
    """One account's adapter."""

    def __init__(self, connection: Connection) -> None:
        self._name = connection.account.name
        self._aggregator = _standing

    def follow(self, parcels: Sequence[Following]) -> list[Followed | CarrierError]:
        self._aggregator.called("follow", len(parcels))
        answers = [self._follow(parcel) for parcel in parcels]
        self._aggregator.afterwards()
        return answers

    def _follow(self, parcel: Following) -> Followed | CarrierError:
        code, number = parcel.waybill
        if number in self._aggregator.refused:
            return self._aggregator.refused[number]
        waybill = Waybill(self._aggregator.corrects.get(number, code), number)
        already = (self._name, waybill) in self._aggregator.followed
        self._aggregator.followed[self._name, waybill] = parcel
        history = None if already else self._aggregator.histories.get(number)
        return Followed(waybill=waybill, already=already, history=history)

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        self._aggregator.called("track", len(tracking_numbers))
        return []

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        self._aggregator.called("history")
        return self._aggregator.histories.get(waybill.tracking_number)

    def realtime(self, waybill: Waybill) -> ParcelHistory | None:
        self._aggregator.called("realtime")
        return self._aggregator.histories.get(waybill.tracking_number)

    def amend(self, amendments: Sequence[Amendment]) -> list[CarrierError | None]:
        answers = self._aggregator.each("amend", [amendment.waybill for amendment in amendments])
        self._aggregator.amended += amendments
        return answers

    def correct(self, waybill: Waybill, carrier_code: str) -> None:
        (error,) = self._aggregator.each("correct", [waybill])
        if error is not None:
            raise error
        there = (self._name, Waybill(carrier_code, waybill.tracking_number))
        if there not in self._aggregator.followed:
            self._aggregator.followed[there] = self._aggregator.followed.pop((self._name, waybill))
        self._aggregator.afterwards()

    def forget(self, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        answers = self._aggregator.each("forget", waybills)
        for waybill, answer in zip(waybills, answers, strict=True):
            if answer is None:
                self._aggregator.followed.pop((self._name, waybill), None)
                self._aggregator.forgotten.append(waybill)
        self._aggregator.afterwards()
        return answers

    def pause(self, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        answers = self._aggregator.each("pause", waybills)
        self._aggregator.paused += [w for w, answer in zip(waybills, answers, strict=True) if answer is None]
        return answers

    def transit_times(self, routes: Sequence[Route]) -> list[TransitTimes]:
        self._aggregator.called("transit_times")
        return [TransitTimes(total=100, delivered=90, ranges=({"range": "1-7", "share": 0.4},))]

    def remote_areas(self, areas: Sequence[Area]) -> list[dict[str, Any]]:
        self._aggregator.called("remote_areas", len(areas))
        return [{"country": area.country, "postcode": area.postcode, "remote": True} for area in areas]

    def air_cargo(self, awb: str) -> dict[str, Any]:
        self._aggregator.called("air_cargo")
        return {"track_number": awb}

    def usage(self) -> dict[str, Any]:
        self._aggregator.called("usage")
        return {"left": 17}

    def counts(self) -> dict[str, int]:
        self._aggregator.called("counts")
        return {"pending": 3, "delivered": 1}

    def detect(self, tracking_number: str) -> list[Courier]:
        self._aggregator.called("detect")
        return [*self._aggregator.likely]

    def couriers(self, lang: str | None = None) -> list[Courier]:
        self._aggregator.called("couriers")
        return [Courier(code="china-ems", name=f"China EMS {lang or ''}".strip(), phone="11183")]
