"""UBI through eTower, under `/ubi`.

**Documented** (ubi-create-order): the fields of an order with their lengths, the answer of the create
with its statuses and numbers, several pieces under a master. The samples as given are taken, although
they leave out what the table calls mandatory (return address, sender's country).

**Public** (vendor wiki, clients): the signature over method, date and full URL, 401 for a wrong one and
for a clock more than 15 minutes off, the paths, 300 orders in a create and in a hold, 30 numbers in a
tracking call, label formats and sizes, the error codes, that a closed order cannot change.

**Assumed**, as nobody we can reach has written it down: what stands in the answers of deletion, hold,
update, manifest and `queryorders`, that a duplicate and too many orders are told in a body with HTTP
status 200, that a master is made when some of its pieces are refused, that a deleted order frees its
references, that pieces are deleted through their master alone, that what an order costs is told nowhere
(the ledger counts no money), where and when a parcel moves, that every parcel comes from China, and the
codes `LST` (lost) and `DMG` (damaged), which are in no list that is public.

Steering words act on an order's reference; `SBX-REJECT` in a piece's own reference refuses that piece.
"""

import secrets

from sandbox.ubi.carrier import Ubi

CARRIER = Ubi
DEFAULT_LOGIN = {"token": "sandbox-token", "secret": "sandbox-secret"}

__all__ = ["CARRIER", "DEFAULT_LOGIN", "Ubi", "new_login"]


def new_login() -> dict[str, str]:
    """Invent an account of eTower."""
    return {"token": secrets.token_hex(16), "secret": secrets.token_hex(24)}
