"""Map an order to the body of createOrder and its update. Pure.

The fields are public unless their docstring says assumed; see `validation.FIELDS` for every field of ours.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from parcelgate.carriers.lme import wire
from parcelgate.carriers.lme.mapping.address import lines, province
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.domain.measures import LengthUnit, WeightUnit, rounded
from parcelgate.domain.orders import Order
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.places.countries import country_name


def create(
    order: Order,
    *,
    channel: str,
    sender: Address,
    settings: CarrierSettings,
    now: datetime,
    is_update: bool = False,
) -> wire.OrderCreate:
    """Return the order in the form of createOrder. `order` has passed `validation.examine` on this account.

    A changed order has the same fields, and LME's number (assumed).
    """
    (parcel,) = order.parcels
    begins, ends = window(order, settings, now)
    sides: tuple[Decimal | None, ...] = (None, None, None)
    if parcel.dimensions is not None:
        sides = tuple(rounded(side, 3) for side in parcel.dimensions.to(LengthUnit.M))
    length, width, height = sides
    return wire.OrderCreate(
        out_order_no=order.reference,
        channel=channel,
        order_no=(order.carrier_order_number if is_update else parcel.tracking_number) or None,
        pre_time_start=begins,
        pre_time_end=ends,
        cargo_desc=cargo(order),
        remark=order.options.instruction or None,
        total_length=length,
        total_width=width,
        total_height=height,
        total_weight=rounded(parcel.weight.to(WeightUnit.KG), 3),
        poster=_contact(sender, settings),
        receiver=_contact(order.ship_to, settings),
    )


def cargo(order: Order) -> str | None:
    """Return what is in the parcel: the customs description, else the parcel's own (assumed)."""
    described = order.customs.description if order.customs else None
    return described or order.parcels[0].description or None


def window(order: Order, settings: CarrierSettings, now: datetime) -> tuple[str, str]:
    """Return `preTimeStart` and `preTimeEnd` in the account's zone; by default tomorrow's usual hours."""
    given = order.options.delivery_window
    if given is not None:
        begins, ends = given.from_.astimezone(settings.zone), given.to.astimezone(settings.zone)
    else:
        tomorrow = (now.astimezone(settings.zone) + timedelta(days=1)).date()
        begins, ends = (datetime.combine(tomorrow, hour) for hour in settings.window)
    return f"{begins:%Y-%m-%d %H:%M:%S}", f"{ends:%Y-%m-%d %H:%M:%S}"


def _contact(address: Address, settings: CarrierSettings) -> wire.Contact:
    return wire.Contact(
        contact=address.name,
        mobile=address.phone or settings.missing_phone,
        company=address.company or None,
        email=address.email or None,
        zone_code=address.country,
        country=country_name(address.country),
        province=province(address),
        city=address.city,
        address=lines(address),
        post_code=address.postcode or None,
    )
