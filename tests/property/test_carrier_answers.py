"""Whatever a carrier answers, each question ends in an outcome that the port knows, and that can be kept.

The answers are the whole ones of the facts, spoilt: see `tests.support.carrier_answers`. A run of
`make test` looks at a few of them, always the same; `PARCELGATE_EXAMPLES=3000` looks at so many for each
question, always others.
"""

import base64
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    LabelPendingError,
    PartlyRefusedError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import (
    AddressCheck,
    Amendment,
    Area,
    Cancellation,
    Confirmed,
    Courier,
    Failed,
    Followed,
    LabelFile,
    Mismatch,
    NotFound,
    ParcelHistory,
    Pending,
    Rate,
    Route,
    Service,
    Submitted,
    TransitTimes,
)
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.trackings import Source, TrackingStatus, merge
from parcelgate.http.answers import Site, encode
from parcelgate.http.resources.orders import order_resource
from parcelgate.http.resources.trackings import tracking_resource
from parcelgate.services.orders import transitions
from tests.property.examples import many
from tests.support.adapters import NOON, FakeVault, lso_account, lso_order, lso_parcel
from tests.support.carrier_answers import RUBBISH, Answering, Json, Question, Response, places, responses
from tests.support.trackings import a_tracking
from tests.unit.carriers.lme import orders as lme
from tests.unit.carriers.trackingmore import parcels as tm
from tests.unit.carriers.ubi import orders as ubi

_written = msgspec.json.Encoder(decimal_format="string").encode
KEPT_BYTES = 350_000
"""What an item of the table can hold is 400 KB."""
PDF = base64.b64encode(b"%PDF-1.4 a label").decode()
ANY = (RefusedError, AuthenticationError, TransientError)
ORDER_RESULTS = (Confirmed, Pending, Failed, NotFound, Mismatch)

ACCOUNTS: dict[str, AccountConfig] = {
    "lso": lso_account(),
    "ubi": ubi.account(),
    "lme": lme.account(),
    "trackingmore": tm.account(),
}


def _numbered(order: Order) -> Order:
    """The order as it is once it is confirmed."""
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_number=f"T{n}", carrier_parcel_number=f"O{n}")
        for n, parcel in enumerate(order.parcels)
    )
    return msgspec.structs.replace(order, carrier_order_number="N1", parcels=parcels)


_NEW: dict[str, Order] = {
    "lso": lso_order(parcels=(lso_parcel(), lso_parcel("shop-17-2"))),
    "ubi": ubi.order_of(ubi.body(2)),
    "lme": lme.order_of(),
}
NEW = {
    carrier: msgspec.structs.replace(order, status=OrderStatus.PROCESSING) for carrier, order in _NEW.items()
}
BOUGHT = {carrier: _numbered(order) for carrier, order in NEW.items()}


# LSO: the whole answers of ../carriers/lso.md, sections 3.1 and 3.4.


def lso(data: Json, code: Json = 200, msg: str = "数据请求成功!") -> Json:
    return {"code": code, "data": data, "err": "", "msg": msg}


_BOXES = [
    {
        "boxHight": "4.00",
        "boxLength": "12.00",
        "boxWidth": "9.50",
        "packWeight": "5.50",
        "serviceNumber": f"ZQ{n}",
        "masterServiceNumber": f"ZM{n}",
        "detailNumber": f"N1-{n}",
        "referenceNo1": f"shop-17-{n}",
        "referenceNo2": "PO 4711",
    }
    for n in (1, 2)
]
_BOXES[0]["referenceNo1"] = "shop-17-1"
LSO_RESULT = lso(
    {
        "serviceNumber": "ZM1",
        "orderNumber": "N1",
        "customerNumber": "shop-17",
        "prepaidPrice": "12.34",
        "averagePrice": "4.45",
        "status": "completed",
        "piece": "2",
        "weight": "6.08",
        "nationName": "United States",
        "province": "TX",
        "city": "Austin",
        "postcode": "78701",
        "address1": "401 Congress Ave",
        "address2": "Suite 9",
        "address3": "",
        "closeWeightAll": "7.00",
        "averageFee": "4.46",
        "commission": "0.50",
        "totalWeightlbs": "7.00",
        "totalWeightkg": "3.18",
        "masterServiceNumbers": ["ZM1", "ZM2"],
        "details": _BOXES,
    }
)
LSO_FAILED = lso({"orderNumber": "N1", "errorMessage": "no LSO service"}, 1001, "下单失败")
LSO_TOKEN = lso({"token": "tok-2", "expiresIn": 7200})
_LSO_LABELS = [{"serviceNumber": number, "labelBase64": PDF} for number in ("T0", "T1")]
LSO_LABELS = lso({"labels": _LSO_LABELS})
LSO_LABEL_URLS = lso(
    {"labels": [_LSO_LABELS[0], {"serviceNumber": "T1", "labelUrl": "https://platform.example/label/1"}]}
)
LSO_TRACKS = lso(
    {
        "tracks": [
            {
                "serviceNumber": number,
                "events": [
                    {
                        "time": "2026-11-22 08:15:00",
                        "status": "Out for Delivery",
                        "description": "With courier",
                        "city": "Austin",
                        "state": "TX",
                    },
                    {
                        "time": "2026-11-22T14:05:00-06:00",
                        "status": "DELIVERED",
                        "description": "Left at dock",
                    },
                ],
            }
            for number in ("T0", "T1")
        ]
    }
)

# UBI: sections 4.1, 4.3 to 4.5 and 4.8.

_UBI_ERRORS = [{"code": 120011, "message": "postcode is required"}]
_UBI_PIECES = [
    {
        "status": "Success",
        "errors": None,
        "warnings": None,
        "orderId": f"O{n}",
        "referenceNo": f"shop-17-{n}",
        "trackingNo": f"T{n}",
        "connoteId": None,
    }
    for n in (1, 2)
]


def ubi_answer(*data: Json, status: str = "Success", errors: Json = None) -> Json:
    return {"status": status, "errors": errors, "data": [*data], "warnings": None}


_UBI_ORDER = {
    "status": "Success",
    "errors": None,
    "warnings": [{"code": "W1", "message": "the address was changed"}],
    "orderId": "N1",
    "referenceNo": "shop-17",
    "trackingNo": "T",
    "connoteId": "C1",
    "piecesResult": _UBI_PIECES,
    "extraProperty": {"injectPort": "YVR", "customsClearanceType": "LVS"},
}
_UBI_FOUND = {
    **_UBI_ORDER,
    "status": "Created",
    "pieces": _UBI_PIECES,
    "serviceCode": "UBI.AU2AU.AUPOST.1",
    "recipientName": "Corrie McKee",
    "addressLine1": "3 Lakeside Drive",
    "city": "Berwick",
    "postcode": "3806",
    "country": "AU",
}
UBI_CREATED = ubi_answer(_UBI_ORDER)
UBI_FAILED = ubi_answer(
    {
        "status": "Failed",
        "errors": _UBI_ERRORS,
        "orderId": None,
        "referenceNo": "shop-17",
        "trackingNo": None,
    },
    status="Failed",
    errors=_UBI_ERRORS,
)
UBI_PARTLY = ubi_answer(
    {
        **_UBI_ORDER,
        "status": "Partial Success",
        "piecesResult": [_UBI_PIECES[0], {**_UBI_PIECES[1], "status": "Failed", "errors": _UBI_ERRORS}],
    },
    status="Partial Success",
)
UBI_BUSY = ubi_answer(status="Failed", errors=[{"code": "100000", "message": "system busy"}])
UBI_DUPLICATE = ubi_answer(
    {"status": "Failed", "errors": [{"code": 110003, "message": "duplicate"}], "referenceNo": "shop-17"},
    status="Failed",
)
UBI_FOUND = ubi_answer({"status": "Success", "errors": None, "order": _UBI_FOUND})
UBI_UNKNOWN = ubi_answer(
    {"status": "Failed", "errors": [{"code": "100009", "message": "does not exist"}], "order": None},
    status="Failed",
)
UBI_LABELS = ubi_answer(
    *(
        {
            "status": "Success",
            "errors": None,
            "labelContent": PDF,
            "orderId": f"O{n}",
            "trackingNo": f"T{n}",
            "labelContents": None,
            "lastMileCarrier": "AUPOST",
        }
        for n in (0, 1)
    )
)
UBI_EVENTS = ubi_answer(
    {
        "orderId": "N1",
        "status": "Success",
        "errors": None,
        "events": [
            {
                "trackingNo": "T0",
                "eventTime": "2026-11-06T14:47:04",
                "eventCode": code,
                "activity": "Processed",
                "location": "Sydney",
                "referenceTrackingNo": "R0",
                "destCountry": "AU",
                "country": "AU",
                "timeZone": "GMT+08:00",
            }
            for code in ("DLD", "SCN", "XYZ")
        ],
    }
)
UBI_SERVICES = ubi_answer(
    {"serviceCode": "UBI.A", "serviceName": "A", "nativeName": "甲", "serviceOptions": [{"code": "1"}]}
)

# LME: sections 1.4, 1.5, 1.7 and 1.9. An answer that is not sealed is read too; some are sealed.

_CONTACT = {
    "company": "Monash",
    "contact": "Corrie McKee",
    "tel": "1",
    "mobile": "0403536112",
    "email": "c@example.com",
    "zoneCode": "AU",
    "country": "Australia",
    "province": "Victoria",
    "city": "Berwick",
    "county": "",
    "address": "3 Lakeside Drive",
    "addressType": 1,
    "postCode": "3806",
}
_LME_ORDER = {
    "orderNo": "N1",
    "outOrderNo": "SDK-1",
    "channel": "TESTKEY",
    "totalLength": 0.3,
    "totalWidth": 0.2,
    "totalHeight": 0.1,
    "totalWeight": 1.25,
    "cargoDesc": "dress",
    "poster": _CONTACT,
    "receiver": _CONTACT,
    "orderStage": 1,
    "stageStatus": 0,
    "parcelQty": 1,
    "preCenterWarehouseId": 7,
    "preCenterWarehouseName": "MEL",
    "packageType": {"packageCode": "B", "packageType": 1, "packageInternationalId": None},
}
_LME_ROUTE = {
    "channel": "TESTKEY",
    "orderNo": "N1",
    "outOrderNo": "SDK-1",
    "action": "sign_in",
    "eventCode": "transport_order",
    "operatorTime": "2026-11-20 08:15:00",
    "eventTime": "2026-11-20 08:15:00",
    "utcOperatorTime": "2026-11-19 22:15:00",
    "timeZone": "UTC+10",
    "routingDescription": "Handed over",
    "event": "Handed over, Tracking Number: AP123456789",
    "imageUrl": "https://img.example/1.jpg",
    "shippingAddressImageUrl": "https://img.example/2.jpg",
    "orderLocation": "Berwick",
    "eventZipCode": "3806",
    "eventCity": "Berwick",
    "eventState": "VIC",
    "eventCountry": "AU",
    "trackNo": "AP123456789",
    "updateTime": "2026-11-20 08:15:01",
    "driverPrivacyMobile": "0400000000",
}


def lme_answer(data: Json, code: Json = 0, message: str = "SUCCESS") -> Json:
    return {
        "code": code,
        "success": code == 0,
        "displayable": False,
        "message": message,
        "logId": "1",
        "data": data,
    }


LME_ORDER = lme_answer(_LME_ORDER)
LME_SEALED = lme.success(_LME_ORDER)
LME_REFUSED = lme_answer(None, "4001", "The city is missing")
LME_DUPLICATE = lme_answer(None, "4002", "outOrderNo already exists")
LME_UNKNOWN = lme_answer(None, "4003", "order does not exist")
LME_ROUTES = lme_answer(
    [_LME_ROUTE, {**_LME_ROUTE, "eventCode": "sign_in", "eventTime": "2026-11-22 10:00:00"}]
)
LME_CANCELLED = lme_answer({"orderNo": "N1", "isTrue": True})
LME_LABEL = lme_answer({"orderNo": "N1", "labelType": "PDF", "labelData": PDF, "labelUrl": None})
LME_ADDRESS = lme_answer(
    {
        "isValid": False,
        "message": "no such street",
        "suggest": {
            "country": "Australia",
            "province": "Victoria",
            "city": "Berwick",
            "postCode": "3806",
            "address": "3 Lakeside Dr",
        },
    }
)

# TrackingMore: sections 2.1 and 2.5.

TM_ITEM = {
    **tm.item(),
    "title": "Shoes",
    "order_id": "17",
    "comment": "c",
    "archived": False,
    "original_country": "SG",
    "destination_country": "US",
    "itemTimeLength": 3,
    "stayTimeLength": 1,
    "service_code": None,
    "substatus": "transit001",
    "singed_by": "Ada",
    "origin_info": {
        "ItemReceived": "2026-11-19 08:00",
        "DepartfromAirport": None,
        "weblink": "https://post.example",
        "phone": None,
        "carrier_code": "singapore-post",
        "trackinfo": [tm.step(), tm.step("2026-11-21 10:00", "delivered")],
    },
    "destination_info": {"trackinfo": [tm.step("2026-11-21 11:00", "pickup")]},
}
TM_LIST = tm.answer({"page": 1, "limit": 100, "total": 1, "items": [TM_ITEM]})
TM_ONE = tm.answer(TM_ITEM)
TM_ADDED = tm.answer(
    {"submitted": 2, "added": 1, "trackings": [TM_ITEM], "errors": [tm.error(tm.LK, 4016)]}, 201
)
TM_NOTHING = tm.refusal(4031)
TM_TWICE = tm.refusal(4016)
TM_DONE = tm.answer([])
TM_COUNTS = tm.answer({"pending": 3, "transit": "4", "delivered": 1})
TM_COURIERS = tm.answer(
    [
        {
            "name": "DHL",
            "code": "dhl",
            "phone": "1",
            "homepage": "https://dhl.example",
            "type": "express",
            "picture": "//x",
        }
    ]
)
TM_USAGE = tm.answer(
    {"email": "shop@example.com", "regtime": "x", "phone": "1", "money": "0.00", "track_number": 17}
)
TM_TIMES = tm.answer([{"total": 100, "delivered": 90, "range1": "0.4", "range2": 0.6, "range5": None}])
TM_REMOTE = tm.answer([{"country": "NZ", "postcode": "7000", "company": "dhl", "remote": True}])

CREATE = (RefusedError, AuthenticationError, TransientError, UnknownOutcomeError, PartlyRefusedError)
EACH = (CarrierError, type(None))
READABLE = (b"[]", b'{"code": 200, "code": 0}')
"""A list without an entry, or success without an order: how some carriers say that there is none."""

QUESTIONS: dict[str, Question] = {
    "lso.rates": Question(
        "lso",
        lambda it: it.rates(NEW["lso"]),
        (lso({"prepaidPrice": "12.34", "commission": "0.50", "closeWeightAll": "7.00"}), LSO_FAILED),
        (Rate,),
        ANY,
    ),
    "lso.create": Question(
        "lso",
        lambda it: it.create(NEW["lso"], callback_url="https://hooks.test/x"),
        (lso({"orderNumber": "N1", "orderDetails": _BOXES}), LSO_FAILED, LSO_TOKEN),
        (Submitted,),
        CREATE,
        changes=True,
    ),
    "lso.order_result": Question(
        "lso",
        lambda it: it.order_result(NEW["lso"]),
        (LSO_RESULT, LSO_RESULT, LSO_FAILED),
        ORDER_RESULTS,
        (AuthenticationError, TransientError),
    ),
    "lso.order_result_by_number": Question(
        "lso",
        lambda it: it.order_result(BOUGHT["lso"]),
        (LSO_RESULT, LSO_FAILED, lso(None, 1024), lso(None, 404), lso(None, 401)),
        ORDER_RESULTS,
        (AuthenticationError, TransientError),
    ),
    "lso.cancel": Question(
        "lso",
        lambda it: it.cancel(BOUGHT["lso"], at=NOON),
        (lso(None), LSO_FAILED),
        (Cancellation,),
        ANY,
    ),
    "lso.label": Question(
        "lso",
        lambda it: it.label(BOUGHT["lso"]),
        (LSO_LABELS, LSO_LABEL_URLS, lso(None, 1115)),
        (LabelFile,),
        (*ANY, LabelPendingError),
    ),
    "lso.track": Question("lso", lambda it: it.track(["T0", "T1"]), (LSO_TRACKS,), (ParcelHistory,), ANY),
    "ubi.create": Question(
        "ubi",
        lambda it: it.create(NEW["ubi"]),
        (UBI_CREATED, UBI_CREATED, UBI_PARTLY, UBI_FAILED, UBI_BUSY, UBI_DUPLICATE, UBI_FOUND),
        (Confirmed,),
        CREATE,
        changes=True,
    ),
    "ubi.create_many": Question(
        "ubi",
        lambda it: it.create_many(
            [NEW["ubi"], msgspec.structs.replace(NEW["ubi"], id="ord_2", reference="b")]
        ),
        (
            ubi_answer(_UBI_ORDER, {**_UBI_ORDER, "referenceNo": "b"}),
            ubi_answer(_UBI_ORDER, status="Partial Success"),
            UBI_PARTLY,
            UBI_FAILED,
            UBI_DUPLICATE,
        ),
        (Confirmed, CarrierError),
        CREATE,
        changes=True,
    ),
    "ubi.find_by_reference": Question(
        "ubi",
        lambda it: it.find_by_reference(NEW["ubi"]),
        (UBI_FOUND, UBI_FOUND, UBI_UNKNOWN, UBI_BUSY),
        ORDER_RESULTS,
        ANY,
    ),
    "ubi.cancel": Question(
        "ubi",
        lambda it: it.cancel(BOUGHT["ubi"], at=NOON),
        (ubi_answer(), UBI_FAILED, UBI_UNKNOWN),
        (Cancellation,),
        (*ANY, UnknownOutcomeError),
    ),
    "ubi.hold": Question(
        "ubi",
        lambda it: it.hold(BOUGHT["ubi"]),
        (ubi_answer(), UBI_FAILED),
        (type(None),),
        (*ANY, UnknownOutcomeError),
        changes=True,
    ),
    "ubi.update": Question(
        "ubi",
        lambda it: it.update(BOUGHT["ubi"]),
        (UBI_CREATED, UBI_PARTLY, UBI_FAILED, ubi_answer()),
        (Confirmed,),
        CREATE,
        changes=True,
    ),
    "ubi.close": Question(
        "ubi",
        lambda it: it.close([BOUGHT["ubi"]]),
        (ubi_answer("shop-17"), ubi_answer(_UBI_ORDER), UBI_FAILED),
        EACH,
        (*ANY, UnknownOutcomeError),
        changes=True,
    ),
    "ubi.label": Question(
        "ubi",
        lambda it: it.label(BOUGHT["ubi"]),
        (UBI_LABELS, UBI_FAILED),
        (LabelFile,),
        (*ANY, LabelPendingError, UnknownOutcomeError),
    ),
    "ubi.track": Question(
        "ubi",
        lambda it: it.track(["T0", "T1"]),
        (UBI_EVENTS, UBI_FAILED),
        (ParcelHistory,),
        (*ANY, UnknownOutcomeError),
    ),
    "ubi.services": Question(
        "ubi", lambda it: it.services(), (UBI_SERVICES,), (Service,), (*ANY, UnknownOutcomeError)
    ),
    "lme.create": Question(
        "lme",
        lambda it: it.create(NEW["lme"]),
        (LME_ORDER, LME_ORDER, LME_SEALED, LME_REFUSED, LME_DUPLICATE),
        (Confirmed,),
        CREATE,
        changes=True,
    ),
    "lme.find_by_reference": Question(
        "lme",
        lambda it: it.find_by_reference(NEW["lme"]),
        (LME_ORDER, LME_ORDER, LME_SEALED, LME_UNKNOWN, lme_answer(None)),
        ORDER_RESULTS,
        (AuthenticationError, TransientError),
    ),
    "lme.cancel": Question(
        "lme",
        lambda it: it.cancel(BOUGHT["lme"], at=NOON),
        (LME_CANCELLED, LME_REFUSED, LME_UNKNOWN),
        (Cancellation,),
        ANY,
    ),
    "lme.send_back": Question(
        "lme",
        lambda it: it.send_back(BOUGHT["lme"]),
        (lme_answer({"orderNo": "N1"}), LME_REFUSED, LME_DUPLICATE, lme_answer(None)),
        (str, type(None)),
        (*ANY, UnknownOutcomeError),
        changes=True,
    ),
    "lme.update": Question(
        "lme",
        lambda it: it.update(BOUGHT["lme"]),
        (LME_ORDER, LME_REFUSED, lme_answer({})),
        (Confirmed,),
        CREATE,
        changes=True,
    ),
    "lme.label": Question(
        "lme",
        lambda it: it.label(BOUGHT["lme"]),
        (LME_LABEL, LME_REFUSED),
        (LabelFile,),
        (*ANY, LabelPendingError),
    ),
    "lme.track": Question(
        "lme", lambda it: it.track(["N1"]), (LME_ROUTES, LME_UNKNOWN), (ParcelHistory,), ANY
    ),
    "lme.validate_address": Question(
        "lme", lambda it: it.validate_address(NEW["lme"].ship_to), (LME_ADDRESS,), (AddressCheck,), ANY
    ),
    "trackingmore.follow_one": Question(
        "trackingmore",
        lambda it: it.follow([tm.following()]),
        (TM_ONE, TM_TWICE, TM_ADDED),
        (Followed, CarrierError),
        (*ANY, UnknownOutcomeError),
    ),
    "trackingmore.follow": Question(
        "trackingmore",
        lambda it: it.follow([tm.following(), tm.following(tm.LK)]),
        (TM_ADDED, TM_TWICE),
        (Followed, CarrierError),
        (*ANY, UnknownOutcomeError),
    ),
    "trackingmore.track": Question(
        "trackingmore",
        lambda it: it.track([tm.RP.tracking_number, tm.LK.tracking_number]),
        (TM_LIST, TM_NOTHING),
        (ParcelHistory,),
        ANY,
    ),
    "trackingmore.history": Question(
        "trackingmore", lambda it: it.history(tm.RP), (TM_ONE, TM_NOTHING), (ParcelHistory, type(None)), ANY
    ),
    "trackingmore.realtime": Question(
        "trackingmore",
        lambda it: it.realtime(tm.RP),
        (tm.answer({"items": [TM_ITEM]}), TM_NOTHING),
        (ParcelHistory, type(None)),
        (*ANY, UnknownOutcomeError),
    ),
    "trackingmore.amend": Question(
        "trackingmore",
        lambda it: it.amend([Amendment(waybill=tm.RP, title="a"), Amendment(waybill=tm.LK, title="b")]),
        (TM_ADDED, TM_DONE),
        EACH,
        (*ANY, UnknownOutcomeError),
    ),
    "trackingmore.correct": Question(
        "trackingmore",
        lambda it: it.correct(tm.RP, "dhl"),
        (TM_DONE, tm.refusal(4017), TM_ONE),
        (type(None),),
        (*ANY, UnknownOutcomeError),
    ),
    "trackingmore.forget": Question(
        "trackingmore",
        lambda it: it.forget([tm.RP, tm.LK]),
        (TM_ADDED, TM_DONE),
        EACH,
        (*ANY, UnknownOutcomeError),
    ),
    "trackingmore.pause": Question(
        "trackingmore", lambda it: it.pause([tm.RP]), (TM_ADDED, TM_DONE), EACH, (*ANY, UnknownOutcomeError)
    ),
    "trackingmore.transit_times": Question(
        "trackingmore",
        lambda it: it.transit_times([Route(origin="CN", destination="US", carrier_code="dhl")]),
        (TM_TIMES,),
        (TransitTimes,),
        ANY,
    ),
    "trackingmore.remote_areas": Question(
        "trackingmore",
        lambda it: it.remote_areas([Area(country="NZ", postcode="7000")]),
        (TM_REMOTE,),
        (dict,),
        ANY,
    ),
    "trackingmore.air_cargo": Question(
        "trackingmore",
        lambda it: it.air_cargo("180-12345675"),
        (tm.answer({"track_number": "1"}),),
        (dict,),
        ANY,
    ),
    "trackingmore.usage": Question("trackingmore", lambda it: it.usage(), (TM_USAGE,), (dict,), ANY),
    "trackingmore.counts": Question("trackingmore", lambda it: it.counts(), (TM_COUNTS,), (dict,), ANY),
    "trackingmore.detect": Question(
        "trackingmore", lambda it: it.detect("N1"), (TM_COURIERS,), (Courier,), ANY
    ),
    "trackingmore.couriers": Question(
        "trackingmore", lambda it: it.couriers("en"), (TM_COURIERS,), (Courier,), ANY
    ),
}
NO_ANSWERS = {
    "examine": "it asks nobody",
    "verify_webhook": "see test_outside_bytes",
    "may_resend": "a setting",
    "create_batch": "a number",
    "track_batch": "a number",
}


def adapter(carrier: str, answers: list[Response]) -> tuple[Any, Answering]:
    send = Answering(answers)
    made = Connection(ACCOUNTS[carrier], send=send, tokens=FakeVault(), clock=lambda: NOON)
    return registry.adapter(carrier)(made), send


def flat(result: Any) -> list[Any]:
    return [*result] if isinstance(result, list | tuple) else [result]


def assert_kept(value: Any) -> None:
    """What the carrier said can be stored and shown: texts are texts, numbers are numbers, all bounded."""
    written = _written(value)
    assert len(written) < KEPT_BYTES, f"{len(written)} bytes of an answer would be stored"
    for one in _leaves(msgspec.to_builtins(value, enc_hook=str, builtin_types=(Decimal, datetime, bytes))):
        if isinstance(one, str):
            one.encode()
        if isinstance(one, Decimal):
            assert one.is_finite()
        if isinstance(one, float):
            assert isfinite(one)


def _leaves(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in (key, *_leaves(part))]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


def assert_sound(order: Order | None, result: Any) -> None:
    """What is done next with a result can be done."""
    if isinstance(result, LabelFile):
        assert result.format in ("pdf", "png", "jpg", "zpl")
        return
    if isinstance(result, CarrierError):
        assert_error_kept(result)
        return
    if not isinstance(result, Confirmed):
        assert_kept(result)
    if isinstance(result, Submitted):
        assert result.carrier_order_number
    if isinstance(result, Confirmed) and order is not None:
        assert result.carrier_order_number
        assert [one.reference for one in result.parcels] == [one.reference for one in order.parcels]
        assert all(one.tracking_number for one in result.parcels)
        change = transitions.confirmed(order, result, at=NOON, watch_at=NOON)
        for tracking in change.trackings:
            assert_kept(tracking)
        assert_kept(change.after)
        encode(order_resource(change.after, Site(), {}))
    if isinstance(result, ParcelHistory):
        assert all(event.status is None or event.status in TrackingStatus for event in result.events)
        parcel = merge(
            a_tracking(), result.events, source=Source.POLL, at=NOON, other_numbers=result.other_numbers
        )
        encode(tracking_resource(parcel, NOON, site=Site()))


def assert_error_kept(error: CarrierError) -> None:
    assert_kept(error.words)
    assert_kept(getattr(error, "errors", ()))
    wait = getattr(error, "retry_after", None)
    assert wait is None or 0 <= wait <= 3600
    if isinstance(error, PartlyRefusedError):
        assert_kept(error.accepted)
        assert_kept(error.refused)


def outcome(question: Question, answers: list[Response]) -> Any:
    """What the question ends in, an error that the port knows included; anything else is raised."""
    carrier, send = adapter(question.carrier, answers)
    try:
        result = question.ask(carrier)
    except question.errors as error:
        return error
    for one in flat(result):
        assert isinstance(one, question.results), f"{type(one).__name__} is none of the port's outcomes"
    if question.changes:
        creates = [request for request in send.requests if not request.safe]
        assert len(creates) >= 1
    return result


def assert_known_and_kept(name: str, answers: list[Response]) -> None:
    question = QUESTIONS[name]
    if "create_many" in name:
        order = None
    else:
        order = BOUGHT[question.carrier] if "update" in name else NEW.get(question.carrier)
    result = outcome(question, answers)
    if isinstance(result, CarrierError):
        assert_error_kept(result)
    elif not isinstance(result, Exception):
        for one in flat(result):
            assert_sound(order, one)


@pytest.mark.parametrize("name", QUESTIONS)
@given(data=st.data())
@many(20)
def test_every_answer_leads_to_a_known_outcome(name: str, data: st.DataObject) -> None:
    assert_known_and_kept(name, data.draw(responses(*QUESTIONS[name].wholes)))


TOO_MUCH: dict[str, Json] = {
    "a text": "x" * 500_000,
    "a list": [{"a": "x" * 1000}] * 500,
    "an object": {"k" * 1000 + str(n): "v" for n in range(500)},
}


@pytest.mark.parametrize("what", TOO_MUCH)
@pytest.mark.parametrize("name", [name for name in QUESTIONS if not name.startswith("trackingmore")])
def test_a_carrier_that_says_too_much_at_any_place_makes_nothing_that_cannot_be_stored(
    name: str, what: str
) -> None:
    """An order is one item of the table: bought, and too large to be confirmed, it would be lost."""
    for whole in QUESTIONS[name].wholes[:2]:
        for *way, last in places(whole):
            body = deepcopy(whole)
            holder = body
            for part in way:
                holder = holder[part]
            holder[last] = TOO_MUCH[what]
            assert_known_and_kept(name, [Response(status=200, body=msgspec.json.encode(body))])


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_whole_answer_is_a_good_one(name: str) -> None:
    """The grammar begins with answers that are believed: else it would try nothing but refusals."""
    question = QUESTIONS[name]
    body = msgspec.json.encode(question.wholes[0])

    result = outcome(question, [Response(status=200, body=body)])

    assert not isinstance(result, Exception)
    assert result is None or flat(result), "nothing was read"
    assert not isinstance(result, Pending | NotFound | Mismatch | Failed)


@pytest.mark.parametrize("status", [200, 404, 500, 502])
@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if "create" in name])
@pytest.mark.parametrize("rubbish", [body for body in RUBBISH if not body.startswith((b"[", b"{"))])
def test_promise_2_a_create_whose_answer_cannot_be_read_is_of_unknown_outcome(
    name: str, status: int, rubbish: bytes
) -> None:
    result = outcome(QUESTIONS[name], [Response(status=status, body=rubbish)])

    for one in flat(result):
        assert isinstance(one, UnknownOutcomeError)


@pytest.mark.parametrize("status", [200, 500, 502, 503])
@pytest.mark.parametrize(
    "name", [name for name in QUESTIONS if "find_by_reference" in name or "order_result" in name]
)
@pytest.mark.parametrize("rubbish", [body for body in RUBBISH if body not in READABLE])
def test_promise_2_what_cannot_be_read_never_says_that_there_is_no_such_order(
    name: str, status: int, rubbish: bytes
) -> None:
    """An order that is believed not to be there is sent again, and one that has failed is refunded."""
    result = outcome(QUESTIONS[name], [Response(status=status, body=rubbish)])

    assert isinstance(result, Pending | TransientError | UnknownOutcomeError)


def test_every_question_of_the_port_has_a_grammar() -> None:
    for carrier in registry.trackers():
        made, _ = adapter(carrier, [Response(status=200)])
        asked = {name for name in dir(made) if not name.startswith("_")}
        missing = {
            name
            for name in asked - set(NO_ANSWERS)
            if not any(key.startswith(f"{carrier}.{name}") for key in QUESTIONS)
        }
        # LSO has one look-up for both.
        assert missing <= ({"find_by_reference"} if carrier == "lso" else set()), carrier
