"""The carrier sandbox: the carriers as they behave on the wire, in one process on one port.

It stands for the carriers **as they are documented or, where nobody has written it down, as
they are assumed**; each carrier's package says which of its facts are which. Each carrier lives
under a prefix of its own (`/lso`). It is strict in what it accepts, true in what it answers,
and keeps a ledger of what was bought, what was paid and what was called.

Start it on its own::

    python -m sandbox --port 8181 --accounts accounts.json

or inside a test::

    from sandbox import Settings, serve

    with serve(Settings(callback_interval=0.2)) as url:
        httpx.get(f"{url}/_sandbox/ledger").json()

**Steering.** Words anywhere in an order's reference choose what happens to it, and combine; for a parcel
that TrackingMore follows they stand in its order_id, its title or its number.
`sandbox.parcels.steering.WORDS` is the table; `python -m sandbox --help` prints it.

**Controls**

================================  ================================================================
`GET  /_sandbox/health`           ``{"status": "ok", "carriers": [...]}``
`GET  /_sandbox/ledger`           what was ordered, paid, called and called back, per carrier
                                  (`sandbox.controls.ledger`)
`POST /_sandbox/reset`            forgets everything, time moved and tokens given included
`POST /_sandbox/advance`          ``{"seconds": n}`` moves the sandbox's clock forward
`POST /_sandbox/run`              ``{"seconds": n}`` lets the clock run for so long and then stand still;
                                  ``{"seconds": null}`` lets it run on
`POST /_sandbox/faults`           injects faults on the next calls (`sandbox.controls.faults`); `GET` shows
                                  those that are left, `DELETE` drops them
`POST /_sandbox/webhooks`         where accounts are told of their parcels (`sandbox.controls.webhooks`);
                                  `GET` shows it, `DELETE` drops it, a reset does not
`POST /_sandbox/parcels`          lets accounts have followed parcels before: ``{"trackingmore": {"default":
                                  [{"tracking_number", "carrier_code"}]}}``
`GET  /_sandbox/truth`            what really happened to every parcel so far, per carrier
================================  ================================================================

**Journeys.** A parcel is picked up, sorted and delivered, unless a word has it otherwise
(`sandbox.parcels.routes`): attempts, customs, losses, returns. The same number always travels alike.

**Time.** Everything reads one clock. Parcels move `acceleration` times faster than in life;
tokens, processing and callbacks keep ordinary time, scaled by their own settings.

**A carrier more** is a class with the attributes of `sandbox.wire.calls.Carrier`, in a package of its
own beside `lso`: `sandbox.carriers` finds it, and says what the package must hold.
"""

from sandbox.server import serve
from sandbox.world import Settings

__all__ = ["Settings", "serve"]
