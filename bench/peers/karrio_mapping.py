"""karrio's SDK with its EasyPost extension: a shipment from JSON to JSON."""

import json
import os

os.environ["KARRIO_LOG_LEVEL"] = "ERROR"

import karrio.core.models
import karrio.lib
import karrio.mappers.easypost.proxy
import karrio.providers.easypost.utils
import karrio.sdk

GATEWAY = karrio.sdk.gateway["easypost"].create({"api_key": "made-up"})
BODY = json.dumps(
    {
        "service": "easypost_australiapost_parcel_post",
        "reference": "shop-17",
        "recipient": {
            "person_name": "Corrie McKee",
            "phone_number": "0403536112",
            "address_line1": "3 Lakeside Drive",
            "city": "Berwick",
            "state_code": "VIC",
            "postal_code": "3806",
            "country_code": "AU",
        },
        "shipper": {
            "person_name": "Jiang Yuanfei",
            "address_line1": "Sanshui Park",
            "city": "Foshan",
            "country_code": "CN",
        },
        "parcels": [
            {
                "weight": 1.0,
                "weight_unit": "KG",
                "length": 30.0,
                "width": 20.0,
                "height": 10.0,
                "dimension_unit": "CM",
                "items": [
                    {
                        "description": "Cotton dress",
                        "quantity": 1,
                        "value_amount": 20.0,
                        "value_currency": "AUD",
                        "origin_country": "CN",
                        "weight": 1.0,
                        "weight_unit": "KG",
                    }
                ],
            }
        ],
    }
)
_RATE = {
    "id": "rate_1",
    "object": "Rate",
    "carrier": "AustraliaPost",
    "service": "ParcelPost",
    "rate": "9.90",
    "currency": "AUD",
    "shipment_id": "shp_1",
}
_CREATED = json.dumps({"id": "shp_1", "object": "Shipment", "mode": "test", "rates": [_RATE], "messages": []})
_BOUGHT = json.dumps(
    {
        "id": "shp_1",
        "object": "Shipment",
        "mode": "test",
        "rates": [_RATE],
        "selected_rate": _RATE,
        "tracking_code": "TBV000038042",
        "status": "unknown",
        "postage_label": {
            "id": "pl_1",
            "object": "PostageLabel",
            "label_file_type": "image/png",
            "label_url": "https://labels.example/1.png",
            "label_pdf_url": "https://labels.example/1.pdf",
        },
        "tracker": {"id": "trk_1", "object": "Tracker", "public_url": "https://track.example/1"},
        "messages": [],
    }
)


def _request(**options: object) -> str:
    return _BOUGHT if str(options["url"]).endswith("/buy") else _CREATED


# The transport, and the download of the label.
karrio.mappers.easypost.proxy.lib.request = _request
karrio.providers.easypost.utils.request = lambda **_: ""


def once() -> str:
    """Create a shipment at the carrier, and show it."""
    request = karrio.core.models.ShipmentRequest(**json.loads(BODY))
    shipment, messages = karrio.sdk.Shipment.create(request).from_(GATEWAY).parse()
    if shipment is None or shipment.tracking_number != "TBV000038042":
        raise ValueError(messages)
    return str(karrio.lib.to_json(shipment))
