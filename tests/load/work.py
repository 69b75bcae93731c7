"""The merchant at work: all jobs of a plan, several at a time."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field

from parcelgate.domain.orders import LabelStatus
from tests.faults.stack.trials import NotSettledError
from tests.load.desk import Desk
from tests.load.plan import Batch, Follow, Job, Plan, Single
from tests.support.bodies import Body

AT_ONCE = 32
CANCELLED = 0.05
"""The share of the confirmed orders that the merchant cancels; and so on."""
REFRESHED = 0.05
PATIENCE = 60.0
"""Seconds that the merchant waits for the label of a single order before it turns to other things."""
BATCH_WITHIN = 3600.0
"""Seconds that it waits for a batch: all of them are under way at once, and the emulator is one process."""
LABELS_READ = 0.2
"""Of the orders of a batch."""
_DOCUMENT_TRIES = 3
_UNDER_WAY = {"accepted", "processing", "cancelling"}


@dataclass
class Work:
    """What the merchant has done so far."""

    desk: Desk
    seed: int
    followed: dict[str, str] = field(default_factory=dict)
    """The tracking of each number that is followed."""
    documents: dict[str, str] = field(default_factory=dict)
    """The status of each label document."""
    redriven: int = 0
    """Dead letters that were sent again."""
    trouble: list[str] = field(default_factory=list)
    """Calls that did not come to an end."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def do(self, plan: Plan, progress: Callable[[int, int], None]) -> None:
        """Do all jobs."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            begun = [pool.submit(self._one, place, job) for place, job in enumerate(plan.jobs)]
            try:
                for done, future in enumerate(as_completed(begun), 1):
                    future.result()
                    progress(done, len(begun))
            except BaseException:
                self.desk.over.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _one(self, place: int, job: Job) -> None:
        chance = random.Random(f"{self.seed} {place}")
        try:
            match job:
                case Single(body):
                    self._single(body, chance)
                case Batch(name, bodies):
                    self._batch(name, bodies, chance)
                case Follow(entries):
                    self._follow(place, entries, chance)
        except Exception as error:
            with self._lock:
                self.trouble.append(f"{type(error).__name__}: {error}")

    def _single(self, body: Body, chance: random.Random) -> None:
        order_id = self.desk.create(body)
        with suppress(NotSettledError):
            self.desk.read(f"/v1/orders/{order_id}", over=_is_over, within=PATIENCE)
        if self.desk.call("GET", f"/v1/orders/{order_id}")["status"] == "confirmed":
            self._label(order_id)
            self._afterwards(order_id, chance)

    def _batch(self, name: str, bodies: tuple[Body, ...], chance: random.Random) -> None:
        told = self.desk.call("POST", "/v1/orders/batch", {"orders": list(bodies)}, once=name)
        if told["_status"] != 202:
            raise NotSettledError(f"{name} was refused: {told}")
        path = f"/v1/batches/{told['id']}"
        batch = self.desk.read(path, over=lambda seen: seen["status"] == "finished", within=BATCH_WITHIN)
        bought = [row["id"] for row in batch["orders"] if row["id"]]
        with self._lock:
            self.desk.batches.append(told["id"])
            self.desk.orders.extend(bought)
        for row in batch["orders"]:
            if row["status"] != "confirmed":
                continue
            if chance.random() < LABELS_READ:
                self._label(row["id"])
            self._afterwards(row["id"], chance)
        self._document(self._labelled(bought), name)

    def _labelled(self, order_ids: list[str]) -> list[str]:
        """Those of the orders that have their label by now."""
        orders = self.desk.ground.table.tenant(self.desk.tenant).orders
        seen = [
            order
            for start in range(0, len(order_ids), 100)
            for order in orders.many(order_ids[start : start + 100])
        ]
        return [order.id for order in seen if order.label.status is LabelStatus.READY]

    def _follow(self, place: int, entries: tuple[Body, ...], chance: random.Random) -> None:
        left, deadline = list(entries), time.monotonic() + 300
        for attempt in range(20):
            told = self.desk.call("POST", "/v1/trackings", left, once=f"follow-{place}-{attempt}")
            rows = told["data"]
            if told["_status"] == 201:
                rows = [{"status": 201, "tracking": row} for row in rows]
            again = []
            for entry, row in zip(left, rows, strict=True):
                if row["status"] < 300:
                    self.followed[entry["tracking_number"]] = row["tracking"]["id"]
                else:
                    again.append(entry)
            if not (left := again):
                break
            if time.monotonic() > deadline:
                raise NotSettledError(f"not followed: {rows}")
            time.sleep(2)
        for entry in entries:
            if entry["tracking_number"] in self.followed and chance.random() < REFRESHED:
                self._refresh(self.followed[entry["tracking_number"]])

    def _label(self, order_id: str) -> None:
        self.desk.call("GET", f"/v1/orders/{order_id}/label")

    def _afterwards(self, order_id: str, chance: random.Random) -> None:
        """Now and then ask where the parcel is, or cancel the order."""
        luck = chance.random()
        if luck < REFRESHED:
            for parcel in self.desk.call("GET", f"/v1/orders/{order_id}/tracking")["data"]:
                self._refresh(parcel["id"])
        elif luck < REFRESHED + CANCELLED:
            self.desk.call("POST", f"/v1/orders/{order_id}/cancel", once=f"cancel-{order_id}")

    def _refresh(self, tracking_id: str) -> None:
        self.desk.call("POST", f"/v1/trackings/{tracking_id}/refresh")

    def _document(self, order_ids: list[str], name: str) -> None:
        """Ask for the labels of many orders, and again when that failed."""
        if not order_ids:
            return
        for attempt in range(_DOCUMENT_TRIES):
            body, once = {"order_ids": order_ids}, f"{name}-labels-{attempt}"
            told = self.desk.call("POST", "/v1/label-documents", body, once=once)
            path = f"/v1/label-documents/{told['id']}"
            seen = self.desk.read(path, over=lambda seen: seen["status"] != "processing")
            with self._lock:
                self.documents[told["id"]] = seen["status"]
            if seen["status"] == "ready":
                return


def _is_over(order: Body) -> bool:
    if order["status"] == "confirmed":
        return bool(order["label"]["status"] != "pending")
    return order["status"] not in _UNDER_WAY
