"""Orders of the platform: their numbers, their prices, their labels and their fields in answers."""

import asyncio
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.controls.ledger import Entry, Parcel, Status
from sandbox.lso.wire import Box, Code, OrderRequest, Shipment
from sandbox.parcels.labels import Label
from sandbox.parcels.steering import Steering

JsonObject = dict[str, Any]

_CENT = Decimal("0.01")
_KG_PER_POUND = Decimal("0.45359237")
_PER_BOX, _PER_POUND, _COMMISSION = Decimal("4.50"), Decimal("0.35"), Decimal("0.50")
_BOXES_PER_MASTER = 2
_LABEL_INCHES = 5.0


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a shipment in dollars, from its weights alone."""

    prepaid: Decimal
    commission: Decimal
    pounds: Decimal
    """The billable weight: each box rounded up to the pound."""

    @classmethod
    def of(cls, shipment: Shipment) -> "Price":
        """Price a shipment by the pound and by the box."""
        pounds = Decimal(sum(math.ceil(box.weight) for box in shipment.boxes))
        prepaid = len(shipment.boxes) * _PER_BOX + pounds * _PER_POUND
        return cls(prepaid, _COMMISSION, pounds)

    @property
    def total(self) -> Decimal:
        """What the account pays."""
        return self.prepaid + self.commission

    def preview(self) -> JsonObject:
        """Give `data` of feePreview's answer."""
        return {
            "prepaidPrice": f"{self.prepaid:.2f}",
            "commission": f"{self.commission:.2f}",
            "closeWeightAll": f"{self.pounds:.2f}",
        }


class Numbers:
    """Makes order and service numbers that no earlier run of a sandbox has given."""

    def __init__(self) -> None:
        self._counter: Iterator[int] = itertools.count(int(time.time() * 1000))

    def order(self) -> str:
        """Make an order number."""
        return f"SYCO{next(self._counter)}"

    def parcels(self, boxes: tuple[Box, ...]) -> tuple[Parcel, ...]:
        """Give each box its numbers; a single box is its own master, others share a master by twos."""
        services = [self._service("ZQ") for _ in boxes]
        masters = services if len(boxes) == 1 else [self._service("ZM") for _ in boxes[::_BOXES_PER_MASTER]]
        return tuple(
            Parcel(service, masters[min(index // _BOXES_PER_MASTER, len(masters) - 1)], box.reference)
            for index, (service, box) in enumerate(zip(services, boxes, strict=True))
        )

    def _service(self, prefix: str) -> str:
        return f"{prefix}{next(self._counter) % 10**10:010d}"


@dataclass(slots=True)
class Order:
    """A committed order, and its progress under the steering words."""

    entry: Entry
    request: OrderRequest
    price: Price
    words: Steering
    pending: int
    failure_code: int = Code.ORDER_FAILED
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def asked(self) -> bool:
        """Count a request for the result and return whether SBX-PENDING delays it."""
        if not self.pending:
            return False
        self.pending -= 1
        if not self.pending:
            self.released.set()
        return True

    def committed(self) -> JsonObject:
        """Give `data` of orderCommit's answer."""
        number = self.entry.order_number
        return {
            "orderNumber": number,
            "orderDetails": [
                {
                    "packWeight": float(box.weight),
                    "boxLength": float(box.length),
                    "boxWidth": float(box.width),
                    "boxHight": float(box.height),
                    "referenceNo1": box.reference,
                    "referenceNo2": box.second_reference,
                    "detailNumber": f"{number}-{index}",
                }
                for index, box in enumerate(self.request.shipment.boxes, 1)
            ],
        }

    def outcome(self) -> JsonObject:
        """Give the body of the order's result and of its callback."""
        if self.entry.status is Status.COMPLETED:
            return self.success()
        data = {"orderNumber": self.entry.order_number, "errorMessage": self.entry.error}
        return {"code": self.failure_code, "data": data, "err": "", "msg": "下单失败"}

    def success(self) -> JsonObject:
        """Return the body that says that the order succeeded, even if it did not."""
        shipment, price, parcels = self.request.shipment, self.price, self.entry.parcels
        weight = sum((box.weight for box in shipment.boxes), Decimal(0))
        kilograms = (price.pounds * _KG_PER_POUND).quantize(_CENT, ROUND_HALF_UP)
        average = f"{price.prepaid / kilograms:.2f}"
        masters = list(dict.fromkeys(parcel.master_tracking_number for parcel in parcels))
        data = {
            "serviceNumber": masters[0],
            "orderNumber": self.entry.order_number,
            "customerNumber": self.entry.reference,
            "prepaidPrice": f"{price.prepaid:.2f}",
            "averagePrice": average,
            "status": "refunded" if self.entry.refunded_at else "completed",
            "piece": str(len(parcels)),
            "weight": f"{weight:.2f}",
            "nationName": "United States",
            "province": shipment.province,
            "city": shipment.city,
            "postcode": shipment.postcode,
            "address1": shipment.address1,
            "address2": shipment.address2,
            "address3": "",
            "closeWeightAll": f"{price.pounds:.2f}",
            "averageFee": average,
            "commission": f"{price.commission:.2f}",
            "totalWeightlbs": f"{price.pounds:.2f}",
            "totalWeightkg": f"{kilograms:.2f}",
            "masterServiceNumbers": masters,
            "details": [
                {
                    "boxHight": f"{box.height:.2f}",
                    "boxLength": f"{box.length:.2f}",
                    "boxWidth": f"{box.width:.2f}",
                    "serviceNumber": parcel.tracking_number,
                    "masterServiceNumber": parcel.master_tracking_number,
                    "referenceNo1": box.reference,
                    "referenceNo2": box.second_reference,
                    "packWeight": f"{box.weight:.2f}",
                }
                for box, parcel in zip(shipment.boxes, parcels, strict=True)
            ],
        }
        return {"code": Code.OK, "data": data, "err": "", "msg": "订单下单已完成!"}

    def label(self, index: int) -> Label:
        """Lay out the label of the box at this index, 4x5 on a 4x6 page."""
        shipment, parcels = self.request.shipment, self.entry.parcels
        box = shipment.boxes[index]
        town = f"{shipment.city}, {shipment.province} {shipment.postcode}"
        lines = (shipment.receiver, shipment.company, shipment.address1, shipment.address2, town)
        return Label(
            carrier="LSO",
            service="GROUND BASIC",
            tracking_number=parcels[index].tracking_number,
            consignee=tuple(line for line in lines if line),
            notes=(
                f"Tel {shipment.phone}",
                f"Ref 1 {box.reference}",
                *([f"Ref 2 {box.second_reference}"] if box.second_reference else []),
                f"Piece {index + 1} of {len(parcels)}    {box.weight:.2f} lb",
            ),
            height=_LABEL_INCHES,
        )
