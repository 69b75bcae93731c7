"""An order as the body of a create or an update. Pure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from parcelgate.carriers.ubi.mapping.values import (
    description,
    native_description,
    order_value,
    parcel_value,
    sender_tax_id,
)
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.wire import (
    ExtendData,
    WireItem,
    WireOrder,
)
from parcelgate.domain.addresses import Address, state_name
from parcelgate.domain.measures import LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Customs, Item, Order, Parcel


def wire_order(order: Order, settings: CarrierSettings, *, update: bool = False) -> WireOrder:
    """The body for an order that was `prepared`. Total: what is missing is left out, `validation` says so.

    One parcel goes out as a plain order. Several are `pieces` under a master, which carries the order's
    reference, all items and the sums, or repeats the first piece where the account wants it so. An
    update names the order and its pieces by the carrier's numbers.
    """
    shared = _shared(order)
    if len(order.parcels) == 1:
        parcel = order.parcels[0]
        return WireOrder(
            **shared,
            **_parcel(order, 0, update=update),
            order_id=order.carrier_order_number if update else None,
            reference_no=order.reference,
            description=description(order).value,
            native_description=native_description(order).value,
            **_valued(order_value(order).value),
            order_items=_items(parcel.items),
        )
    pieces = tuple(
        WireOrder(
            **shared,
            **_parcel(order, place, update=update),
            order_id=parcel.carrier_parcel_number if update else None,
            reference_no=parcel.reference,
            description=description(order, place).value,
            native_description=native_description(order, place).value,
            **_valued(parcel_value(order, place).value),
            order_items=_items(parcel.items),
        )
        for place, parcel in enumerate(order.parcels)
    )
    master_number = order.carrier_order_number if update else None
    if settings.master_repeats_first_piece:
        repeated = {"order_id": master_number, "reference_no": order.reference, "pieces": pieces}
        return pieces[0].model_copy(update=repeated)
    volumes = [parcel.volume for parcel in order.parcels]
    return WireOrder(
        **shared,
        **_weighed(_total_weight(order.parcels)),
        order_id=master_number,
        reference_no=order.reference,
        description=description(order).value,
        native_description=native_description(order).value,
        volume=sum((volume for volume in volumes if volume), Decimal(0)) if all(volumes) else None,
        **_valued(order_value(order).value),
        order_items=_items(item for parcel in order.parcels for item in parcel.items),
        pieces=pieces,
    )


def _shared(order: Order) -> dict[str, Any]:
    """What an order and each of its pieces say alike: service, options, customs and addresses."""
    options, customs, ship_to = order.options, order.customs or Customs(), order.ship_to
    ship_from, return_to = order.ship_from, order.return_to
    battery = customs.battery
    return {
        "service_code": order.service,
        "incoterm": customs.incoterm,
        "pick_up": "Y" if options.pick_up else None,
        "authority_to_leave": options.authority_to_leave or None,
        "locker_service": options.locker or None,
        "battery_type": battery and battery.type,
        "battery_packing": battery and battery.packing,
        "dangerous_goods": customs.dangerous_goods or None,
        "service_option": options.service_option or None,
        "instruction": options.instruction or None,
        "facility": options.facility or None,
        "platform": options.platform or None,
        "recipient_name": ship_to.name or None,
        "recipient_tax_id": ship_to.tax_id or None,
        "recipient_company": ship_to.company or None,
        "phone": ship_to.phone or None,
        "email": ship_to.email or None,
        "address_line1": ship_to.line1 or None,
        "address_line2": ship_to.line2 or None,
        "address_line3": ship_to.line3 or None,
        "city": ship_to.city or None,
        "state": _state(ship_to),
        "postcode": ship_to.postcode or None,
        "country": ship_to.country or None,
        **_sender(ship_from),
        "return_option": options.return_option or None,
        **_returns(return_to),
        "vendorid": customs.vendor_id or None,
        "gstexemptioncode": customs.gst_exemption_code or None,
        "abnnumber": customs.abn or None,
        "sender_tax_id": sender_tax_id(order).value,
        "extend_data": ExtendData(inject_port=customs.inject_port) if customs.inject_port else None,
    }


def _state(address: Address) -> str | None:
    """The state's name where a code was given: the samples have names (VICTORIA, Ontario)."""
    if not address.state:
        return None
    name = state_name(address.country, address.state)
    given = address.state.strip()
    return given if name is None or name.casefold() == given.casefold() else name


def _sender(address: Address | None) -> dict[str, Any]:
    if address is None:
        return {}
    return {
        "shipper_name": address.name or None,
        "shipper_phone": address.phone or None,
        "shipper_address_line1": address.line1 or None,
        "shipper_address_line2": address.line2 or None,
        "shipper_address_line3": address.line3 or None,
        "shipper_city": address.city or None,
        "shipper_state": address.state or None,
        "shipper_postcode": address.postcode or None,
        "shipper_country": address.country or None,
    }


def _returns(address: Address | None) -> dict[str, Any]:
    if address is None:
        return {}
    return {
        "return_name": address.name or None,
        "return_address_line1": address.line1 or None,
        "return_address_line2": address.line2 or None,
        "return_address_line3": address.line3 or None,
        "return_city": address.city or None,
        "return_state": address.state or None,
        "return_postcode": address.postcode or None,
        "return_country": address.country or None,
    }


def _parcel(order: Order, place: int, *, update: bool) -> dict[str, Any]:
    """What belongs to one parcel alone. An update leaves the tracking number to the carrier."""
    parcel = order.parcels[place]
    return {
        **_weighed(parcel.weight),
        **_measured(parcel),
        "reference_no1": parcel.secondary_reference or None,
        "tracking_no": None if update else parcel.tracking_number,
        "volume": parcel.volume,
        "sku": parcel.sku_on_label or None,
    }


def _weighed(weight: Weight) -> dict[str, Any]:
    """Weight in the unit it came in; ounces, which eTower has not, as pounds."""
    unit = WeightUnit.LB if weight.unit is WeightUnit.OZ else weight.unit
    # Divided by 16, not by way of grams: an ounce is 0.0625 lb to the last digit.
    value = weight.value / 16 if weight.unit is WeightUnit.OZ else weight.value
    return {"weight": value, "weight_unit": unit.value.upper()}


def _total_weight(parcels: Sequence[Parcel]) -> Weight:
    units = {parcel.weight.unit for parcel in parcels}
    unit = parcels[0].weight.unit if len(units) == 1 else WeightUnit.KG
    return Weight(sum((parcel.weight.to(unit) for parcel in parcels), Decimal(0)), unit)


def _measured(parcel: Parcel) -> dict[str, Any]:
    """Dimensions in metres if they came so, else in centimetres: eTower has no other."""
    if parcel.dimensions is None:
        return {}
    unit = LengthUnit.M if parcel.dimensions.unit is LengthUnit.M else LengthUnit.CM
    length, width, height = parcel.dimensions.to(unit)
    return {"length": length, "width": width, "height": height, "dimension_unit": unit.value.upper()}


def _valued(value: Money | None) -> dict[str, Any]:
    if value is None:
        return {}
    return {"invoice_value": value.amount, "invoice_currency": value.currency}


def _items(items: Iterable[Item]) -> tuple[WireItem, ...] | None:
    goods = tuple(
        WireItem(
            item_no=item.number or None,
            sku=item.sku or None,
            description=item.description or None,
            native_description=item.native_description or None,
            hs_code=item.hs_code or None,
            origin_country=item.origin_country or None,
            item_count=item.quantity,
            unit_value=item.unit_value.amount,
            warehouse_no=item.warehouse_number or None,
            product_url=item.url or None,
            weight=item.weight.to(WeightUnit.KG) if item.weight else None,
        )
        for item in items
    )
    return goods or None
