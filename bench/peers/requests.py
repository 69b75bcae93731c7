"""What is asked, and what carrier and AWS answer. It imports nothing but the standard library."""

import json
from collections.abc import Callable
from typing import Any

BODY = json.dumps(
    {
        "carrier": "ubi",
        "service": "UBI.AU2AU.AUPOST.1",
        "reference": "shop-17",
        "ship_to": {
            "name": "Corrie McKee",
            "phone": "0403536112",
            "line1": "3 Lakeside Drive",
            "city": "Berwick",
            "state": "VIC",
            "postcode": "3806",
            "country": "AU",
        },
        "ship_from": {"name": "Jiang Yuanfei", "line1": "Sanshui Park", "city": "Foshan", "country": "CN"},
        "parcels": [
            {
                "weight": {"value": 1, "unit": "kg"},
                "dimensions": {"length": 30, "width": 20, "height": 10, "unit": "cm"},
                "items": [
                    {
                        "description": "Cotton dress",
                        "quantity": 1,
                        "unit_value": {"amount": "20.00", "currency": "AUD"},
                        "origin_country": "CN",
                    }
                ],
            }
        ],
    }
)
"""An order of one parcel, as clients of Parcelgate send it."""

ANSWER = json.dumps(
    {
        "status": "Success",
        "errors": None,
        "data": [
            {
                "status": "Success",
                "errors": None,
                "warnings": None,
                "orderId": "loMIAw32B4aZRbOseBdrBQ",
                "referenceNo": "shop-17",
                "trackingNo": "TBV000038042",
                "connoteId": None,
            }
        ],
    }
).encode()
"""UBI's answer to it."""


calls: list[str] = []
"""The operations of AWS that were called."""


class Context:
    """What Lambda tells a function of its invocation."""

    aws_request_id = "1f0c8a9e-0000-4000-8000-000000000001"
    function_name = "create_order"
    function_version = "1"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:create_order"

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 25_000


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def answered(client: Any, answer: Callable[[str, Any], dict[str, Any]]) -> None:
    """Have an AWS client answered within itself: all of its work is done but the exchange of bytes.

    `answer` gives the answer to an operation, from its name and the request's body.
    """
    from botocore.awsrequest import AWSResponse

    def reply(request: Any, **_: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        operation = (target if isinstance(target, str) else target.decode()).rpartition(".")[2]
        calls.append(operation)
        body = json.dumps(answer(operation, json.loads(request.body))).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 200, headers, _Raw(body))

    client.meta.events.register("before-send", reply)
