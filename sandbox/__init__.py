"""The carrier sandbox: the carriers as they behave on the wire, in one process on one port.

It replaces the carriers **as they are documented or, where no source says it, as they are
assumed**; each carrier's package says which of its facts are which. Each carrier has a prefix
of its own (`/lso`). The sandbox is strict in what it accepts and true in what it answers, and it
keeps a ledger of what was bought, what was paid and what was called.

Start it on its own::

    python -m sandbox --port 8181 --accounts accounts.json

or inside a test::

    from sandbox import Settings, serve

    with serve(Settings(callback_interval=0.2)) as url:
        httpx.get(f"{url}/_sandbox/ledger").json()

**Steering.** Words anywhere in an order's reference choose what happens to it, and can be combined. For a
parcel that TrackingMore follows, they are in its order_id, its title or its number.
`sandbox.parcels.steering.WORDS` is the table; `python -m sandbox --help` prints it.

**Controls**

================================  ================================================================
`GET  /_sandbox/health`           ``{"status": "ok", "carriers": [...]}``
`GET  /_sandbox/ledger`           what was ordered, paid, called and called back, per carrier
                                  (`sandbox.controls.ledger`)
`POST /_sandbox/reset`            forgets everything, also moved time and given tokens
`POST /_sandbox/advance`          ``{"seconds": n}`` moves the sandbox's clock forward
`POST /_sandbox/run`              ``{"seconds": n}`` lets the clock run for n seconds and then stops it;
                                  ``{"seconds": null}`` lets it run without end
`POST /_sandbox/faults`           injects faults on the next calls (`sandbox.controls.faults`); `GET` shows
                                  those that are left, `DELETE` drops them
`POST /_sandbox/webhooks`         sets the addresses for webhooks about parcels, or takes them away
                                  (`sandbox.controls.webhooks`);
                                  `GET` shows them, `DELETE` deletes them, a reset does not
`POST /_sandbox/accounts`         lets more accounts in: ``{"ubi": {"second": login}}``; a reset keeps them
`POST /_sandbox/parcels`          makes accounts follow parcels since before: ``{"trackingmore": {"default":
                                  [{"tracking_number", "carrier_code"}]}}``
`GET  /_sandbox/truth`            what really happened to every parcel so far, per carrier
================================  ================================================================

**Journeys.** A parcel is picked up, sorted and delivered, unless a word chooses another journey
(`sandbox.parcels.routes`): attempts, customs, losses, returns. The same number always has the same journey.

**Time.** Everything reads one clock. Parcels move `acceleration` times faster than real parcels;
tokens, processing and callbacks take ordinary time, as their own settings say.

**A new carrier** is a class with the attributes of `sandbox.wire.calls.Carrier`, in a package of its
own beside `lso`. `sandbox.carriers` finds it, and says what the package must hold.
"""

from sandbox.server import serve
from sandbox.world import Settings

__all__ = ["Settings", "serve"]
