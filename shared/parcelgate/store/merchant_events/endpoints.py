"""Webhook endpoints: what each is, its sealed secrets, and who is calling it at the moment.

All of a tenant's endpoints stand in one partition, so that the router reads them in one query. The item of
an endpoint holds besides: a lease for each call under way (`slot_0`, `slot_1`, ...), how many calls have
failed in a row, since when, and until when deliveries wait because of that (`open_until`). A lease that was
not given back ends by its time. `slow_until` says that an answer was slow lately. One of which nothing bad is
known is called by those who have a pass of the tenant's, without a lease.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.merchants.endpoints import MOST_ENDPOINTS, Endpoint
from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items
from parcelgate.store.errors import EndpointNotFoundError, TooManyEndpointsError, VersionConflictError

IN_FLIGHT = 5
"""How many calls of one endpoint are under way at once."""
TRIPS_AFTER = 5
"""After so many failures in a row deliveries wait, and one of them at a time tries the endpoint."""
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=30)
SLOW = timedelta(seconds=1)
"""An endpoint whose answer takes longer is slow,"""
SLOW_FOR = timedelta(minutes=10)
"""for so long, or until a quicker one."""
_REGISTER = "REGISTER"
_ATTEMPTS = 5
_KNOWN = "attribute_exists(pk)"
_CLEAN = ("failures", "failing_since", "open_until")

_decode = msgspec.json.Decoder(Endpoint).decode


class SealedSecret(NamedTuple):
    """What an endpoint's events are signed with, encrypted: the secret, and the one before for a while."""

    secret: bytes
    old_secret: bytes | None = None
    old_secret_until: datetime | None = None


class Admission(NamedTuple):
    """Leave to call an endpoint once."""

    slot: str
    lease: str


class Busy(NamedTuple):
    """No call may be made now. `until` is when the circuit lets one pass; None: all slots are taken."""

    until: datetime | None


class StoredEndpoint(NamedTuple):
    """An endpoint, and what stands beside it in its item."""

    endpoint: Endpoint
    secrets: SealedSecret
    item: Item

    @property
    def untold(self) -> bool:
        """Whether merchants have not been told yet that it was disabled."""
        return "untold" in self.item

    def quick(self, now: datetime) -> bool:
        """Whether nothing bad is known of its last calls: no failure, and no slow answer lately."""
        return self.item.keys().isdisjoint(_CLEAN) and self.item.get("slow_until", "") <= rfc3339(now)


class Endpoints:
    """The webhook endpoints of one tenant."""

    def __init__(self, items: Items, tenant: str) -> None:
        self._items = items
        self._tenant = tenant

    def add(self, endpoint: Endpoint, secret: bytes) -> None:
        """Store a new endpoint. Raises TooManyEndpointsError for one more than a tenant may have."""
        for _ in range(_ATTEMPTS):
            register = self._items.get(self._key(_REGISTER)) or {}
            if len(self.all()) >= MOST_ENDPOINTS:
                raise TooManyEndpointsError(f"a tenant has at most {MOST_ENDPOINTS} endpoints")
            version = register.get("version")
            conflict = VersionConflictError("another endpoint is being added")
            # Two creates at once would each see one place free.
            writes = [
                self._items.put_write({**self._item(endpoint), "secret": secret}, conflict),
                self._items.update_write(
                    self._key(_REGISTER),
                    {"version": (version or 0) + 1},
                    conflict,
                    "attribute_not_exists(version)" if version is None else "version = :was",
                    **({} if version is None else {"was": version}),
                ),
            ]
            with suppress(VersionConflictError):
                return self._items.commit(writes)
        raise VersionConflictError("other endpoints are being added all the time")

    def get(self, endpoint_id: str) -> StoredEndpoint:
        """Read an endpoint. Raises EndpointNotFoundError, also for another tenant's endpoint."""
        item = self._items.get(self._key(endpoint_id)) if keys.is_id(endpoint_id) else None
        if item is None or "doc" not in item:
            raise EndpointNotFoundError("the tenant has no such endpoint")
        return _stored(item)

    def all(self) -> list[Endpoint]:
        """The tenant's endpoints, oldest first."""
        found = self._items.query("pk = :pk AND begins_with(sk, :kind)", pk=self._key("")["pk"], kind="whe_")
        return [_stored(item).endpoint for item in found]

    def save(
        self,
        endpoint: Endpoint,
        *,
        was: int,
        secrets: SealedSecret | None = None,
        fresh: bool = False,
        untold: bool = False,
    ) -> None:
        """Store a changed endpoint over its version `was`. A `fresh` one begins without failures.

        `untold` marks that it was disabled and that nobody has been told yet. Raises VersionConflictError.
        """
        item = self._item(endpoint)
        sets: Item = {"doc": item["doc"], "version": endpoint.version}
        removes: tuple[str, ...] = ()
        if fresh:
            removes = (*_CLEAN, "slow_until", "untold")
        if untold:
            sets["untold"] = True
        if secrets is not None:
            sets |= secrets._asdict()
        try:
            self._items.update(self._key(endpoint.id), sets, removes, condition="version = :was", was=was)
        except ConditionFailedError as error:
            raise VersionConflictError("the endpoint was changed meanwhile") from error

    def told(self, endpoint_id: str) -> None:
        """Note that merchants were told that the endpoint was disabled."""
        with suppress(ConditionFailedError):
            self._items.update(self._key(endpoint_id), {}, ("untold",), condition=_KNOWN)

    def next_sequence(self, endpoint_id: str) -> int:
        """The sequence of an event that changes nothing of the endpoint. Raises EndpointNotFoundError."""
        try:
            item = self._items.update(
                self._key(endpoint_id), {}, adds={"version": 1}, condition=_KNOWN, returning=True
            )
        except ConditionFailedError as error:
            raise EndpointNotFoundError("the tenant has no such endpoint") from error
        return int(item["version"])

    def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint with its secrets. Raises EndpointNotFoundError."""
        self.get(endpoint_id)
        self._items.delete(self._key(endpoint_id))

    # Who calls it

    def admit(self, stored: StoredEndpoint, now: datetime, lease: timedelta) -> Admission | Busy:
        """Leave to call the endpoint once, before `lease` is over; or what is to be waited for."""
        item, moment = stored.item, rfc3339(now)
        taken = f"{rfc3339(now + lease)}#{uuid4().hex}"
        tripped = item.get("failures", 0) >= TRIPS_AFTER
        if tripped and item.get("open_until", "") > moment:
            return Busy(datetime.fromisoformat(item["open_until"]))
        # Events come in bursts, and each worker that finds its slot taken meanwhile has paid for a write.
        first = uuid4().int % IN_FLIGHT
        for slot in (f"slot_{(first + number) % IN_FLIGHT}" for number in range(IN_FLIGHT)):
            if item.get(slot, "") > moment:
                continue
            condition = f"{_KNOWN} AND (attribute_not_exists({slot}) OR {slot} < :now)"
            sets: Item = {slot: taken}
            values: dict[str, Any] = {"now": moment}
            if tripped:
                # The one that tries the endpoint; the others wait at least until it is done or dead.
                sets["open_until"] = rfc3339(now + lease)
                if "open_until" in item:
                    condition += " AND open_until = :was"
                    values["was"] = item["open_until"]
                else:
                    condition += " AND attribute_not_exists(open_until)"
            else:
                condition += " AND (attribute_not_exists(open_until) OR open_until <= :now)"
            try:
                self._items.update(self._key(stored.endpoint.id), sets, condition=condition, **values)
            except ConditionFailedError as error:
                item = error.item or {}
                if item.get("open_until", "") > moment:
                    return Busy(datetime.fromisoformat(item["open_until"]))
                continue
            return Admission(slot, taken)
        return Busy(None)

    def release(self, endpoint_id: str, admission: Admission) -> None:
        """Give the leave back without having called."""
        self._settle(endpoint_id, {}, (admission.slot,), admission, {})

    def succeeded(
        self, endpoint_id: str, admission: Admission | None, now: datetime, took: timedelta
    ) -> None:
        """Note a success, which ends every row of failures, and give the leave back.

        Without a leave (`admission`) nothing is written of a quick one: nothing bad was known.
        """
        slow: Item = {"slow_until": rfc3339(now + SLOW_FOR)} if took > SLOW else {}
        if admission is not None:
            removes = (admission.slot, *_CLEAN, *(() if slow else ("slow_until",)))
            self._settle(endpoint_id, slow, removes, admission, {})
        elif slow:
            self._settle(endpoint_id, slow, (), None, {})

    def failed(self, endpoint_id: str, admission: Admission | None, now: datetime) -> datetime | None:
        """Note a failure and give the leave back. Returns since when every call has failed."""
        removes = () if admission is None else (admission.slot,)
        item = self._settle(endpoint_id, {}, removes, admission, {"failures": 1})
        if not item:
            return None
        failures = item["failures"]
        sets: Item = {}
        if "failing_since" not in item:
            sets["failing_since"] = now
        if failures >= TRIPS_AFTER:
            doublings = min(failures - TRIPS_AFTER, 10)
            sets["open_until"] = rfc3339(now + min(_FIRST_PAUSE * (1 << doublings), _LONGEST_PAUSE))
        if sets:
            with suppress(ConditionFailedError):
                # A success meanwhile has ended the row.
                self._items.update(
                    self._key(endpoint_id), sets, condition="failures >= :failures", failures=failures
                )
        return datetime.fromisoformat(item["failing_since"]) if "failing_since" in item else now

    def _settle(
        self,
        endpoint_id: str,
        sets: Item,
        removes: tuple[str, ...],
        admission: Admission | None,
        adds: Mapping[str, int],
    ) -> Item:
        held = {} if admission is None else {"lease": admission.lease}
        try:
            return self._items.update(
                self._key(endpoint_id),
                sets,
                removes,
                adds=adds,
                condition=_KNOWN if admission is None else f"{admission.slot} = :lease",
                returning=True,
                **held,
            )
        except ConditionFailedError:
            return {}  # It was deleted, or the lease was over and somebody else has the slot.

    def _item(self, endpoint: Endpoint) -> Item:
        if endpoint.tenant != self._tenant:
            raise ValueError("another tenant's endpoint was given to this tenant's store")
        return {
            **self._key(endpoint.id),
            "type": "endpoint",
            "version": endpoint.version,
            "doc": msgspec.json.encode(endpoint),
        }

    def _key(self, sk: str) -> Item:
        return {"pk": keys.key(self._tenant, "ENDPOINTS"), "sk": sk}


def _stored(item: Item) -> StoredEndpoint:
    endpoint = msgspec.structs.replace(_decode(item["doc"]), version=item["version"])
    until = item.get("old_secret_until")
    return StoredEndpoint(
        endpoint,
        SealedSecret(
            item["secret"], item.get("old_secret"), datetime.fromisoformat(until) if until else None
        ),
        item,
    )
