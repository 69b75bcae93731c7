"""What the merchant does: so many orders over all carriers, one by one and in batches."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.stack.flows import body_of
from tests.support.bodies import Body

CARRIERS = ("lso", "ubi", "lme")
SINGLES = {"lso": 0.04, "ubi": 0.06, "lme": 0.06}
"""The shares of all orders that are bought one by one. LSO's take a workflow each."""
UBI_BATCHED = 0.6
"""The share of UBI among all that comes in batches; the rest is LME's."""
BATCH = 300
BATCHES = 6
"""At least so many, however few orders there are."""
FOLLOWED = 0.04
"""Parcels that are followed through the aggregator, as a share of the orders."""
FOLLOWED_AT_ONCE = 20
WORDS: dict[str, tuple[tuple[float, str], ...]] = {
    "lso": ((0.03, "SBX-FAIL"), (0.02, "SBX-REJECT"), (0.03, "SBX-NOCALLBACK"), (0.01, "SBX-LOST")),
    "ubi": ((0.01, "SBX-REJECT"), (0.005, "SBX-LOST"), (0.005, "SBX-GARBAGE")),
    "lme": ((0.01, "SBX-REJECT"), (0.005, "SBX-LOST"), (0.85, "SBX-NOPUSH")),
}
"""What the sandbox is told to do with a share of a carrier's orders."""


@dataclass(frozen=True)
class Single:
    """An order that is bought by itself."""

    body: Body


@dataclass(frozen=True)
class Batch:
    """Orders that are bought together."""

    name: str
    bodies: tuple[Body, ...]


@dataclass(frozen=True)
class Follow:
    """Parcels that the aggregator is to follow."""

    entries: tuple[Body, ...]


type Job = Single | Batch | Follow


@dataclass(frozen=True)
class Plan:
    """All jobs, in the sequence in which they are begun, and what comes of them when nothing gets lost."""

    jobs: tuple[Job, ...]
    orders: dict[str, str]
    """The carrier of each order, by its reference."""
    numbers: tuple[str, ...]
    """The tracking numbers that are followed."""

    def words(self) -> str:
        """The mix, in words."""
        parts = []
        for carrier in CARRIERS:
            alone = sum(isinstance(job, Single) and job.body["carrier"] == carrier for job in self.jobs)
            batched = sum(each == carrier for each in self.orders.values()) - alone
            name = carrier.upper()
            parts.append(f"{alone:,} {name} one by one" + (f" and {batched:,} in batches" if batched else ""))
        return f"{', '.join(parts)}; {len(self.numbers):,} parcels followed through TrackingMore"


def planned(count: int, seed: int) -> Plan:
    """The jobs of `count` orders, the same ones for the same seed."""
    chance = random.Random(seed)
    numbers = iter(range(count))
    single = {carrier: max(1, round(share * count)) for carrier, share in SINGLES.items()}
    batched = count - sum(single.values())
    ubi = round(batched * UBI_BATCHED)
    jobs: list[Job] = [
        Single(_order(carrier, number, chance))
        for carrier, of_it in single.items()
        for number in _taken(numbers, of_it)
    ]
    several = [*["ubi"] * ubi, *["lme"] * (batched - ubi)]
    size = max(1, min(BATCH, -(-len(several) // BATCHES)))
    for place, entries in enumerate(_pieces(several, size), 1):
        bodies = tuple(_order(carrier, next(numbers), chance) for carrier in entries)
        jobs.append(Batch(f"batch-{place}", bodies))
    followed = [f"LK{seed % 1000:03}{number:06}CN" for number in range(max(1, round(FOLLOWED * count)))]
    for piece in _pieces(followed, FOLLOWED_AT_ONCE):
        entries = tuple({"carrier_code": "china-ems", "tracking_number": number} for number in piece)
        jobs.append(Follow(entries))
    chance.shuffle(jobs)
    # A batch takes the longest, so the run would end by waiting for those that began last.
    jobs.sort(key=lambda job: not isinstance(job, Batch))
    bodies_of = [
        job.bodies if isinstance(job, Batch) else (job.body,) for job in jobs if not isinstance(job, Follow)
    ]
    orders = {body["reference"]: body["carrier"] for bodies in bodies_of for body in bodies}
    return Plan(tuple(jobs), orders, tuple(followed))


def _order(carrier: str, number: int, chance: random.Random) -> Body:
    left, word = chance.random(), ""
    for share, each in WORDS[carrier]:
        if left < share:
            word = f"-{each}"
            break
        left -= share
    return body_of(carrier, f"L{number:05}{word}")


def _taken(numbers: Iterator[int], count: int) -> list[int]:
    return [next(numbers) for _ in range(count)]


def _pieces[T](things: Sequence[T], size: int) -> list[Sequence[T]]:
    return [things[start : start + size] for start in range(0, len(things), size)]
