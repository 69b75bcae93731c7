"""The dead-letter queues of the stack, by the names that alarms, runbook and API use."""

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs

from infra.constructs.access import Access, access, allow
from infra.constructs.queue_worker import QueueWorker


class DeadLetters:
    """Every dead-letter queue, and the queue that its messages came from, where they came from one.

    Parameters
    ----------
    workers
        Queues that are there once, by their names.
    sharing
        More such queues, whose dead letters lie with those of another name.
    others
        Dead-letter queues whose messages came from no queue.
    of_carriers
        Queues of which each carrier has one, by kind and carrier.
    """

    def __init__(
        self,
        *,
        workers: Mapping[str, QueueWorker],
        sharing: Mapping[str, tuple[str, QueueWorker]],
        others: Mapping[str, sqs.Queue],
        of_carriers: Mapping[str, Mapping[str, QueueWorker]],
    ) -> None:
        self._own = {
            **workers,
            **{
                f"{kind}-{carrier}": worker
                for kind, queues in of_carriers.items()
                for carrier, worker in queues.items()
            },
        }
        self.sources = self._own | {name: worker for name, (_, worker) in sharing.items()}
        """The queues that messages became dead letters in, by name."""
        self._shared = [where for where, _ in sharing.values()]
        self.single = {name: worker.dead_letters for name, worker in workers.items()} | dict(others)
        """Those that are there once."""

    @property
    def all(self) -> dict[str, sqs.Queue]:
        """All of them, by name."""
        return self.single | {name: worker.dead_letters for name, worker in self._own.items()}

    def operator_access(self) -> Access:
        """Looking into each of them, and sending messages back to where they came from.

        The names alone: with the addresses of all queues the environment of a function would be too large.
        """
        everyone = self.all
        back = dict.fromkeys(self._shared, "")
        back |= {name: worker.queue.queue_name for name, worker in self._own.items()}
        names = Stack.of(next(iter(everyone.values()))).to_json_string
        return access(
            allow(
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
                on=[queue.queue_arn for queue in everyone.values()],
            ),
            allow("sqs:DeleteMessage", on=[everyone[name].queue_arn for name in back]),
            allow("sqs:SendMessage", on=[worker.queue.queue_arn for worker in self.sources.values()]),
            DEAD_LETTER_QUEUES=names({name: queue.queue_name for name, queue in everyone.items()}),
            REDRIVE_QUEUES=names(back),
            INBOX_DEAD_LETTER_URL=everyone["inbox"].queue_url,
        )
