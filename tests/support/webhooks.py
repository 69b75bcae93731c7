"""The carriers' side of their webhooks, written apart from ours, and a world in which they have addresses."""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from parcelgate.carriers.results import Confirmed, ParcelResult
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.trackings import Tracking
from parcelgate.services.orders import transitions
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.inbox import InboxEntry
from tests.support.orders import an_event, an_order
from tests.support.trackings import a_followed
from tests.support.world import World

_VECTORS: dict[str, str] = json.loads(
    (Path(__file__).parents[1] / "unit/carriers/lme/vectors/lme-sdk-requests.json").read_text("utf-8")
)
APP_KEY = "TESTKEY"
EMAIL = "shop@example.com"
TENANT = "acme"
SECRETS: dict[str, dict[str, str]] = {
    "lme": {
        "app_key": APP_KEY,
        "client_private": _VECTORS["client_private"],
        "lme_public": _VECTORS["lme_public"],
    },
    "trackingmore": {"api_key": "key", "email": EMAIL},
}
LME_ACK = {"code": 200, "message": "SUCCESS"}


def address(world: World, carrier: str, *, account: str = "default", token: str = "t" * 43) -> str:
    """Open an account with the carrier; the address at which it tells us of parcels."""
    secret = {"base_url": f"https://{carrier}.test", "credentials": SECRETS[carrier]}
    world.secrets.texts[f"parcelgate/{TENANT}/{carrier}/{account}"] = json.dumps(secret)
    world.table.webhook_tokens.put(token, Hook(TENANT, carrier, account))
    return f"https://hooks.test/webhooks/{carrier}/{account}/{token}"


def entries(world: World) -> list[InboxEntry]:
    """Every webhook in the inbox."""
    names = [item["pk"]["S"].split("#", 3)[3] for item in world.items() if item["sk"]["S"] == "ENTRY"]
    stored = [world.table.tenant(TENANT).inbox.get(name) for name in names]
    return [entry for entry in stored if entry is not None]


def pass_time(world: World, *, hours: float = 1) -> None:
    """Let everything happen that is to happen meanwhile, the sweep included."""
    world.start_sweeping()
    world.clock.run(until=lambda: False, hours=hours)


# LME


@cache
def _lme_private() -> Any:
    return load_der_private_key(base64.b64decode(_VECTORS["lme_private"]), None)


@cache
def _client_public() -> Any:
    return load_der_public_key(base64.b64decode(_VECTORS["client_public"]))


def route(number: str, code: str, at: datetime, *, reference: str = "R-1", **more: str) -> dict[str, str]:
    """One event of a parcel in LME's words, ten hours ahead of UTC; all whole seconds."""
    local = at + timedelta(hours=10)
    return {
        "orderNo": number,
        "outOrderNo": reference,
        "eventCode": code,
        "eventTime": f"{local:%Y-%m-%d %H:%M:%S}",
        "timeZone": "UTC+10",
        "event": f"It was {code}",
        "eventCity": "Berwick",
        "eventState": "VIC",
        "eventCountry": "AU",
        **more,
    }


def sealed(fields: Any) -> bytes:
    """The body of a push, as anybody can make it who has our public key."""
    key, content = _client_public(), json.dumps(fields).encode()
    parts = [key.encrypt(content[at : at + 117], PKCS1v15()) for at in range(0, len(content), 117)]
    return json.dumps({"data": base64.b64encode(b"".join(parts)).decode()}).encode()


def signed(body: bytes, at: datetime, *, app_key: str = APP_KEY) -> dict[str, str]:
    """The headers that only LME can make for a body."""
    stamp = str(int(at.timestamp() * 1000))
    text = f"appKey={app_key}&data={json.loads(body)['data']}&timeStamp={stamp}"
    sign = base64.b64encode(_lme_private().sign(text.encode(), PKCS1v15(), SHA256())).decode()
    return {"AppKey": app_key, "timestamp": stamp, "version": "1", "sign": sign}


def lme_order(
    world: World, *, reference: str = "R-1", number: str = "FHE1", status: OrderStatus = OrderStatus.CONFIRMED
) -> Order:
    """An order with LME; unless it is to be confirmed, it has no number yet."""
    at = world.clock.now
    orders = world.table.tenant(TENANT).orders
    begun = OrderStatus.PROCESSING if status is OrderStatus.CONFIRMED else status
    order = an_order(reference=reference, carrier="lme", at=at, status=begun, watch_at=None)
    orders.add(order, an_event(at=at))
    return confirmed(world, order, number) if status is OrderStatus.CONFIRMED else order


def confirmed(world: World, order: Order, number: str = "FHE1") -> Order:
    """The order, once LME has answered."""
    at = world.clock.now
    parcels = tuple(
        ParcelResult(reference=parcel.reference, tracking_number=number) for parcel in order.parcels
    )
    result = Confirmed(carrier_order_number=number, parcels=parcels)
    change = transitions.confirmed(order, result, at=at, watch_at=at)
    after = msgspec.structs.replace(change.after, watch_at=None)
    world.table.tenant(TENANT).orders.save(order, after, change.event, trackings=change.trackings)
    return after


def tracking_of(world: World, order: Order) -> Tracking:
    """What is known of an order's first parcel."""
    return world.table.tenant(TENANT).trackings.get(world.order(order).parcels[0].tracking_id or "")


# TrackingMore


def verify_info(stamp: int | str, email: str = EMAIL) -> dict[str, Any]:
    """The proof that only the time was signed."""
    digest = hmac.new(email.encode(), str(stamp).encode(), hashlib.sha256).hexdigest()
    return {"timeStr": stamp, "signature": digest}


def webhook(
    proof: dict[str, Any] | None, number: str = "RR1CN", *, code: str = "china-ems", **more: Any
) -> bytes:
    """What TrackingMore tells of a parcel, with the proof at its top."""
    item = {"tracking_number": number, "carrier_code": code, "status": "delivered", **more}
    whole: dict[str, Any] = {"meta": {"code": 200, "type": "Success", "message": "Success"}, "data": item}
    return json.dumps(whole | ({"verifyInfo": proof} if proof is not None else {})).encode()


def followed(world: World, number: str = "RR1CN", **more: Any) -> Tracking:
    """A parcel that is followed with TrackingMore, and not to be asked about for a while."""
    tracking = a_followed(number, at=world.clock.now, **more)
    trackings = world.table.tenant(TENANT).trackings
    trackings.add(tracking)
    trackings.plan(tracking.id, None)
    return tracking


def nudged(world: World) -> list[str]:
    """The ids of the parcels that carriers are to be asked about, in that order."""
    return [json.loads(body)["tracking_id"] for body in world.sqs.bodies("https://sqs.test/polls")]
