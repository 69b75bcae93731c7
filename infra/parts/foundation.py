"""The foundation: objects that every part uses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infra.constructs.access import Access, access, account_arn, allow
from infra.constructs.functions import LambdaFunctions
from infra.parts.store import Store
from infra.settings import Settings


@dataclass(frozen=True)
class Foundation:
    """The environment's settings, the maker of its functions, its table, and the names of its carriers."""

    settings: Settings
    functions: LambdaFunctions
    store: Store
    carriers: Sequence[str]

    def account_access(self, *, calls: bool = True) -> Access:
        """Reading carrier accounts: secrets that an operator puts there, one for each account of a tenant.

        Their names are not known here, only what they begin with. Who calls carriers counts the calls of
        shared logins, too. Who reads an account and never calls the carrier says so by `calls`.
        """
        prefix = self.settings.secret_prefix
        logins = self.store.logins_access() if calls else Access()
        given = access(
            *logins.statements,
            allow(
                "secretsmanager:GetSecretValue",
                on=account_arn(self.functions, "secretsmanager", f"secret:{prefix}/*"),
            ),
            because="Accounts are added while the stack runs.",
            SECRET_PREFIX=prefix,
            **({"CARRIERS_OVER_HTTP": "yes"} if self.settings.local else {}),
        )
        return replace(given, environment={**given.environment, **logins.environment}, calls_carriers=calls)

    def timings(self) -> Access:
        """The times that an order may take."""
        settings = self.settings
        return access(
            ORDER_DEADLINE=str(settings.order_deadline),
            NOT_FOUND_INTERVAL=str(settings.not_found_interval),
            REFUND_DEADLINE=str(settings.refund_deadline),
            RETRY_FIRST=str(settings.retry_first),
            RETRY_CAP=str(settings.retry_cap),
            DEADLINE_MARGIN=str(settings.deadline_margin),
        )

    def bus_access(self) -> Access:
        """Permission to announce events on the bus, by its fixed name: whoever announces comes before it."""
        name = self.settings.name("events")
        arn = account_arn(self.functions, "events", f"event-bus/{name}")
        return access(allow("events:PutEvents", on=arn), EVENT_BUS=name)

    def order_flow_arn(self) -> str:
        """The order flow's ARN by its fixed name: its own functions must know it before it exists."""
        return account_arn(self.functions, "states", f"stateMachine:{self.settings.name('order-flow')}")

    def order_flow_access(self, *operations: str) -> Access:
        """Operations on the order flow, such as `StartExecution`."""
        machine = self.order_flow_arn()
        executions = account_arn(self.functions, "states", f"execution:{self.settings.name('order-flow')}:*")
        statements = []
        for operation in operations:
            resource = executions if operation == "DescribeExecution" else machine
            if operation.startswith("SendTask") and self.settings.local:
                # The emulator accepts task tokens only from who may send them anywhere.
                resource = "*"
            statements.append(allow(f"states:{operation}", on=resource))
        because = "Every order has an execution of its own."
        # Task tokens need no address.
        tokens_alone = all(name.startswith("SendTask") for name in operations)
        address = {} if tokens_alone else {"ORDER_FLOW_ARN": machine}
        return access(*statements, because=because, **address)
