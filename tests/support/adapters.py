"""Stand-ins for what an adapter rests on, and an LSO account and order to try it with."""

import json
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.lso.adapter import Adapter as Lso
from parcelgate.carriers.toolkit.calls import Request, Response, Transport
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Order, Parcel
from parcelgate.domain.places.addresses import Address

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

type Scripted = Response | bytes | dict[str, Any] | Exception


class FakeTransport:
    """Gives scripted answers, call by call, and remembers what was sent.

    The last answer of a call is given again and again. A dict is a JSON body with status 200, an
    exception is raised.
    """

    def __init__(self, script: dict[str, list[Scripted]] | None = None) -> None:
        self.requests: list[Request] = []
        self._script: dict[str, deque[Scripted]] = defaultdict(deque)
        for call, answers in (script or {}).items():
            self.script(call, *answers)

    def script(self, call: str, *answers: Scripted) -> None:
        self._script[call] = deque(answers)

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        answers = self._script[request.call]
        if not answers:
            raise AssertionError(f"nobody said what {request.call} answers")
        answer = answers[0] if len(answers) == 1 else answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            answer = json.dumps(answer, ensure_ascii=False).encode()
        return Response(status=200, body=answer) if isinstance(answer, bytes) else answer

    @property
    def calls(self) -> list[str]:
        return [request.call for request in self.requests]

    def bodies(self, call: str) -> list[dict[str, Any]]:
        """What was sent to a call, decimals kept digit by digit."""
        return [
            json.loads(request.body or b"", parse_float=Decimal)
            for request in self.requests
            if request.call == call
        ]


class FakeVault:
    """A token vault in memory."""

    def __init__(self, token: str | None = "tok-1", *, broken: Exception | None = None) -> None:
        self.token = token
        self.life: float | None = None
        self.broken = broken
        self.renewals: list[str | None] = []

    def get(self, now: datetime) -> str | None:
        if self.broken:
            raise self.broken
        return self.token

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        self.renewals.append(refused)
        self.token, self.life = fetch()
        return self.token


def lso_account(**changes: Any) -> AccountConfig:
    account = AccountConfig(
        tenant="acme",
        carrier="lso",
        name="default",
        credentials={"app_id": "app-7", "app_secret": "made-up"},
        base_url="https://platform.example/base",
    )
    return msgspec.structs.replace(account, **changes)


def lso(
    transport: Transport,
    *,
    vault: FakeVault | None = None,
    reread: Callable[[], AccountConfig] | None = None,
    account: AccountConfig | None = None,
    **overrides: Any,
) -> Lso:
    account = account or lso_account(overrides=overrides)
    return Lso(
        Connection(account, send=transport, tokens=vault or FakeVault(), clock=lambda: NOON, reread=reread)
    )


def lso_address(**changes: Any) -> Address:
    address = Address(
        name="Ada Byrd",
        company="Byrd Tools",
        phone="512-555-0142",
        line1="401 Congress Ave",
        line2="Suite 9",
        city="Austin",
        state="TX",
        postcode="78701",
        country="US",
    )
    return msgspec.structs.replace(address, **changes)


def lso_parcel(reference: str = "shop-17-1", **changes: Any) -> Parcel:
    parcel = Parcel(
        reference=reference,
        weight=Weight(Decimal("5.5"), WeightUnit.LB),
        dimensions=Dimensions(Decimal(12), Decimal("9.5"), Decimal(4), LengthUnit.IN),
    )
    return msgspec.structs.replace(parcel, **changes)


def lso_order(**changes: Any) -> Order:
    order = Order(
        id="ord_01",
        tenant="acme",
        carrier="lso",
        account="default",
        service="GroundBasic",
        reference="shop-17",
        ship_to=lso_address(),
        parcels=(lso_parcel(),),
        created_at=NOON,
        updated_at=NOON,
    )
    return msgspec.structs.replace(order, **changes)


def dollars(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


class Impatient:
    """The real way out, but for one who waits only so many seconds for each piece of an answer."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def send(self, request: Request) -> Response:
        if self._seconds is not None:
            request = msgspec.structs.replace(request, read_seconds=self._seconds)
        return HttpTransport().send(request)
