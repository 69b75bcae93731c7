"""The drill `carrier-down`: a carrier does not answer, and an order was under way when it went."""

import threading
from collections.abc import Iterable, Iterator

from local.drills import door
from local.drills.door import Way
from local.drills.drill import Drill
from local.drills.scene import Block, Body

_BACK_AFTER = 60.0
"""Seconds after which the carrier is back, where a person mends."""


class CarrierDown(Drill):
    """The carrier is behind a door that only this tenant's account uses."""

    name = "carrier-down"
    line = "LSO does not answer; one order was under way, others come in meanwhile"
    section = "Carrier down"
    page = "accounts"
    alarms = ("carrier-down",)

    def damage(self) -> None:
        """Send one order, whose create the carrier does not carry out, shut the door, and post three more."""
        self._door = self.scene.undo.enter_context(door.opened(self.scene.stack.sandbox_url))
        self.scene.put_account("lso", url=self._door.url)
        # Later work of this tenant finds the carrier when the door is gone.
        self.scene.undo.callback(self.scene.put_account, "lso")
        self._lost = self.scene.post("lso", "5XX-1")
        self.scene.until(self._was_sent, "the first order's create")
        self._door.way = Way.SHUT
        for _ in range(3):
            self.scene.post("lso")

    def shown(self) -> Iterable[str]:
        """The account and its calls."""
        for each in self.scene.get("/v1/carrier-accounts")["data"]:
            error = (each["last_error"] or {}).get("message", "")
            yield f"{each['carrier']}: calls {each['circuit']}, {each['held_calls']} held; {error}"

    def looked(self) -> None:
        """Let the carrier come back by itself after a while."""
        if not self.scene.mends:
            self.scene.tell(f"    The carrier will be back in {_BACK_AFTER:.0f} s. Look at it until then.")
            timer = threading.Timer(_BACK_AFTER, self._open)
            timer.daemon = True
            timer.start()

    def commands(self) -> Iterator[Block]:
        """See that it is down; when it is back, close the order that it does not have."""
        of = {"CARRIER": "lso"}
        yield Block("Carrier down", "accounts check", of, may_fail=True)
        self._open()
        self.scene.until(lambda: self._state()["status"] == "needs_attention", "the order that was under way")
        yield Block("See what needs a person", "attention list")
        yield Block("Needs attention", "orders close", {"ORDER_ID": self._lost["id"]})

    def broken(self) -> Iterable[str]:
        """The orders, and calls that are held back."""
        if self._door.way is Way.SHUT:
            yield "the carrier does not answer"
        yield from super().broken()

    def _was_sent(self) -> bool:
        calls = self.scene.booked("lso")["calls_by_reference"]
        return "orderCommit" in calls.get(self._lost["reference"], ())

    def _open(self) -> None:
        self._door.way = Way.OPEN
        self.scene.tell(
            f"    The carrier is back. Its portal does not know the reference {self._lost['reference']}."
        )

    def _state(self) -> Body:
        return self.scene.order(self._lost)
