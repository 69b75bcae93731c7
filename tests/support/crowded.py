"""A world whose queues have several workers, which work and wait at the same time on one simulated clock.

    def test_a_neighbour(crowded: CrowdedWorld) -> None:
        crowded.clock.run(until=lambda: done, hours=1)

Each call of a worker has a thread of its own, and one thread runs at a time: whoever sleeps on the clock
hands over to whatever comes next. So a test measures waits in simulated seconds, the same in every run.
"""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from importlib import import_module
from threading import Event, Semaphore, Thread, local
from typing import Any

from infra.settings import Settings, settings_for
from parcelgate.carriers.errors import UnknownOutcomeError
from parcelgate.carriers.results import Confirmed, Examination, LabelFile, ParcelHistory, ParcelResult
from parcelgate.domain.orders import Order
from tests.support.aws import FakeSqs
from tests.support.clock import FakeClock
from tests.support.world import World, queue

PATIENCE = 30.0
"""Real seconds after which a thread that was not woken has failed."""


class SharedClock(FakeClock):
    """A clock on which several threads sleep. Whoever is no thread of `spawn` sleeps as with `FakeClock`."""

    def __init__(self) -> None:
        super().__init__()
        self._here = local()
        self._handed_back = Semaphore(0)
        self._errors: list[BaseException] = []

    def spawn(self, work: Callable[[], None]) -> None:
        """Begin some work now, in a thread of its own."""

        def run() -> None:
            self._here.is_worker = True
            try:
                work()
            except BaseException as error:
                self._errors.append(error)
            finally:
                self._handed_back.release()

        self.after(0, lambda: self._hand_over(Thread(target=run, daemon=True).start))

    def sleep(self, seconds: float) -> None:
        if not getattr(self._here, "is_worker", False):
            super().sleep(seconds)
            return
        woken = Event()
        self.after(seconds, lambda: self._hand_over(woken.set))
        self._handed_back.release()
        assert woken.wait(PATIENCE)

    def _hand_over(self, go: Callable[[], None]) -> None:
        go()
        assert self._handed_back.acquire(timeout=PATIENCE)
        if self._errors:
            raise self._errors.pop()


class CrowdedQueues(FakeSqs):
    """Queues whose messages wait for one of the queue's workers, first come first served."""

    def __init__(self, clock: SharedClock) -> None:
        super().__init__(clock)
        self.concurrency: dict[str, int] = {}
        """How many workers a queue has, by the beginning of its name."""
        self._shared = clock
        self._busy: dict[str, int] = defaultdict(int)
        self._waiting: dict[str, deque[dict[str, Any]]] = defaultdict(deque)

    def _deliver(self, queue: str, message: dict[str, Any]) -> None:
        if self._busy[queue] >= self._workers_of(queue):
            self._waiting[queue].append(message)
            return
        self._busy[queue] += 1
        self._shared.spawn(lambda: self._work(queue, message))

    def _work(self, queue: str, message: dict[str, Any]) -> None:
        super()._deliver(queue, message)
        self._busy[queue] -= 1
        if self._waiting[queue]:
            self._deliver(queue, self._waiting[queue].popleft())

    def _workers_of(self, address: str) -> int:
        name = address.rpartition("/")[2]
        return next(most for start, most in self.concurrency.items() if name.startswith(start))


class UnevenCarrier:
    """A carrier that confirms at once, after as many seconds as each tenant's account takes for a call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds: dict[str, float] = defaultdict(lambda: 1.0)
        self.creates: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()

    def examine(self, order: Order) -> Examination:
        return Examination()

    def create(self, order: Order, *, callback_url: str | None = None) -> Confirmed:
        self.creates[order.tenant] += 1
        self._world.clock.sleep(self.seconds[order.tenant])
        parcels = tuple(
            ParcelResult(reference=each.reference, tracking_number=f"{order.id}-{place}")
            for place, each in enumerate(order.parcels)
        )
        return Confirmed(carrier_order_number=order.id, parcels=parcels)

    def label(self, order: Order) -> list[LabelFile]:
        self._world.clock.sleep(self.seconds[order.tenant])
        self.labels[order.tenant] += 1
        raise UnknownOutcomeError("no label in this test")

    def track(self, tracking_numbers: Any) -> list[ParcelHistory]:
        return []


class SlowTracker:
    """A carrier that answers where parcels are after so many seconds, or not at all."""

    def __init__(self, world: World, seconds: float, *, silent: bool = False) -> None:
        self._world, self._seconds, self._silent = world, seconds, silent
        self.answered: list[str] = []
        self.asked = 0

    def track(self, numbers: Any) -> list[ParcelHistory]:
        self.asked += 1
        self._world.clock.sleep(self._seconds)
        if self._silent:
            raise UnknownOutcomeError("nobody answers")
        self.answered += numbers
        return []


class CrowdedWorld(World):
    """A world with as many workers for each queue, and as many places, as the environment `stage` has."""

    CLOCK = SharedClock
    SQS = CrowdedQueues

    def __init__(self, *parts: Any, stage: str = "local", **how: Any) -> None:
        settings = settings_for(stage)
        environment = {
            "PARCELGATE_ACCOUNT_PLACES": str(settings.carrier_places),
            "PARCELGATE_TENANT_PLACES": str(settings.delivery_places),
            "PARCELGATE_TENANT_PASSES": str(settings.delivery_passes),
        }
        given = environment | (how.pop("environment", None) or {})
        super().__init__(*parts, carrier=UnevenCarrier, environment=given, **how)  # type: ignore[arg-type]
        self.sqs.workers[queue("polls")] = self._function("poll_nudged")
        self.sqs.concurrency = workers_of(settings)

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        handler = import_module(f"functions.{name}.handler").handler

        def call(event: dict[str, Any]) -> Any:
            # Several run at once, so that nobody can say which one is running: each call tells by its frames.
            given = event if name == "route_changes" else json.loads(json.dumps(event))
            return handler(given, self._context(name))

        return call


def workers_of(settings: Settings) -> dict[str, int]:
    """How many workers each queue has."""
    return {
        "batch": settings.carrier_concurrency,
        "retry": settings.carrier_concurrency,
        "labels": settings.label_concurrency,
        "polls": settings.poll_concurrency,
        "deliveries": settings.delivery_concurrency,
        "": settings.queue_concurrency,
    }
