"""What differs between environments: one frozen object for each, and nothing else decides by stage.

`local` is the emulator on this machine. `production` is the default, and any other stage name is a copy
of it under another name, protected against deletion like it unless the deployer says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from parcelgate.domain.merchants.events import KEPT
from parcelgate.http.routes import FUNCTIONS
from parcelgate.http.smoke import AUTHORIZER

PUBLIC = frozenset({*FUNCTIONS, AUTHORIZER})
"""The functions that the gateway calls. On AWS each has versions, and an alias that it is called by."""
ALIAS = "live"
"""The alias of the version that clients meet."""
CANARIES: Mapping[int, str] = MappingProxyType(
    {
        0: "ALL_AT_ONCE",
        5: "CANARY_10_PERCENT_5_MINUTES",
        10: "CANARY_10_PERCENT_10_MINUTES",
        15: "CANARY_10_PERCENT_15_MINUTES",
        30: "CANARY_10_PERCENT_30_MINUTES",
    }
)
"""CDK's names of CodeDeploy's own configurations, by minutes. One of ours would be one more resource."""
ROLLS_BACK = ("api-failures", "authorizer", "deaths", "errors", "failures", "failures-2")
"""The alarms that take a release back while its canary runs.

Only `api-failures` can ring because a carrier is down: what a client asks of the carrier at once is a 503.
"""


@dataclass(frozen=True)
class Size:
    """What one function gets. Memory in MB (CPU follows it), timeout in seconds."""

    memory: int
    timeout: int


@dataclass(frozen=True)
class Throttle:
    """A limit on requests: per second, and in one burst."""

    rate: int
    burst: int


_SIZES: Mapping[str, Size] = MappingProxyType(
    {
        **{name: Size(each.memory, each.timeout) for name, each in FUNCTIONS.items()},
        "authorize": Size(512, 5),
        "check_release": Size(512, 300),
        "work_batch": Size(1024, 180),
        "process_webhook": Size(512, 60),
        "submit_order": Size(512, 60),
        "check_order": Size(512, 60),
        "fetch_label": Size(512, 60),
        "compensate_order": Size(512, 60),
        "escalate_order": Size(512, 30),
        "close_order_flow": Size(512, 30),
        "sweep": Size(512, 120),
        "route_changes": Size(512, 60),
        "retry_order": Size(512, 60),
        "label_order": Size(512, 60),
        "print_labels": Size(1024, 120),
        "deliver_event": Size(256, 30),
        "poll_trackings": Size(1769, 60),
        "poll_nudged": Size(512, 60),
    }
)
"""Of the functions that answer clients the table of routes says it; of all others this.

Most of them wait for a carrier or an endpoint nearly all their time, and waiting is billed by memory too.
`python -m bench.costs --functions` prints what each of them waits and computes.
"""


_SHARES: Mapping[str, int] = MappingProxyType(
    {
        "authorize": 50,
        "ingest_webhook": 50,
        "route_changes": 20,
        "create_order": 200,
        "submit_order": 50,
        "check_order": 50,
        "fetch_label": 25,
        "compensate_order": 25,
    }
)
"""Of each thousand executions that the account may run at once, what these functions have for themselves, and
what they may take at most.

A carrier that hangs blocks its callers for seconds. So creates and the order flow leave room for all the
others, and who must answer at once (authorizer, webhooks, the stream's router) never has to wait for them.
The state machine calls again a function that was throttled.
"""
ASK_CARRIERS = (
    "ask_aggregator",
    "cancel_order",
    "change_order",
    "change_trackings",
    "check_accounts",
    "close_manifest",
    "follow_parcels",
    "get_label",
    "list_services",
    "quote_rates",
    "validate_address",
)
"""Other functions that call carriers while a client waits. A client gets 503 where one is at its limit."""
_ASKERS_SHARE = 20
"""What each of them has, of each thousand: whoever holds a key cannot fill the account with slow calls."""
_UNRESERVED = 100
"""Lambda keeps this much of an account's concurrency for functions that reserve nothing."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything about one environment that the stack asks for. Times are in seconds unless named."""

    stage: str
    local: bool = False
    protect_data: bool = False
    """Whether the table, the key, labels and logs outlive a deletion of the stack."""
    first_deployment: bool = False
    """Nothing holds on to the table yet: a first deployment that fails takes everything with it again."""
    gateway_port: int | None = None
    sizes: Mapping[str, Size] = field(default=_SIZES)
    log_level: str = "INFO"
    log_retention: str = "ONE_MONTH"
    """A name of CDK's RetentionDays."""
    traces: bool = True
    """Whether functions and state machines begin traces. X-Ray bills each one that it records."""
    worker_traces: bool = False
    """Whether functions that no client calls begin traces as well. They join the traces of who calls them."""
    dashboards: bool = True
    """Two dashboards and the saved queries. The first three dashboards of an AWS account are free."""
    monthly_budget: int = 0
    """Dollars a month for the whole AWS account, of which the alarm topic tells; 0 for no budget."""
    retention_days: int = 400
    """How long orders, parcels and labels are kept after their creation. Figures are kept for good.

    No shorter than the event log is, whose events are found by their order or parcel.
    """
    batch_retention_days: int = 30
    table_stream: str = ""
    """ARN of the stream of another table that the stack runs on, one that was restored. Empty: its own."""
    limits_table: str = ""
    """ARN of the usage table of another stage of this AWS account and region, in which the calls of shared
    logins are counted. Stages that have a login in common need one table for it. Empty: the stage's own.
    """
    limits_key: str = ""
    """ARN of the key that `limits_table` is encrypted under."""

    callback_wait: int = 20
    heartbeat: int = 40
    """After how long without a sign of its function SubmitOrder is over; 0: only after its time-out.

    The function gives one sign, when the order is sent. So it is also how long a callback that never comes is
    waited for. A create and the storing of its answer take 30 s at most.
    """
    submit_margin: int | None = None
    """What SubmitOrder's time-out adds to the callback wait; None: the function's own time-out."""
    order_deadline: int = 1800
    not_found_interval: int = 60
    refund_deadline: int = 86_400
    refund_retry_cap: int = 3600
    retry_first: int = 2
    retry_cap: int = 60
    deadline_margin: int = 300
    resubmit_pause: int = 5
    sweep_minutes: int = 5

    poll_minutes: int = 5
    poll_workers: int = 4
    """How many functions share the parcels that are due; 32 at most."""
    poll_pace: int = 1
    """How many times faster than in reality parcels travel here."""
    poll_concurrency: int = 15
    """How many functions poll nudged parcels at the same time."""

    poll_places: int = 5
    """How many of them may poll parcels of one carrier account."""

    delivery_concurrency: int = 50
    """How many events are sent to merchants' endpoints at the same time."""
    delivery_places: int = 20
    """How many of them may be sent to the endpoints of one tenant by workers that take a place for each."""
    delivery_passes: int = 5
    """How many more by workers with a pass, while the endpoints are quick."""
    delivery_plan: str = ""
    """Seconds between the attempts of a delivery, with commas. Empty: about three days in all."""

    queue_concurrency: int = 20
    carrier_concurrency: int = 15
    """How many functions work off a carrier's retry queue at the same time, and how many its batch queue."""
    carrier_places: int = 5
    """How many of them may work for one carrier account: a third, so that slow ones leave room for others."""
    label_concurrency: int = 30
    label_places: int = 10
    receives_before_dead_letter: int = 5
    hidden_times: int = 6
    """For how many time-outs of its worker a message is hidden from others. AWS advises six."""
    stream_retries: int | None = None
    """None: as long as the stream keeps the records."""
    domain: str = ""
    """A name of your own for the API, such as `api.example.com`. Empty: the name that AWS gives it."""
    certificate: str = ""
    """The ARN of ACM's certificate for `domain`, in the stack's own region."""
    fixed_addresses: int = 0
    """How many fixed addresses carriers are called from, each of a zone of its own; 0: any address of AWS."""
    canary_minutes: int = 5
    """How long one call in ten meets a new release before all do: 0 (all at once), 5, 10, 15 or 30."""
    rollback_on_alarms: bool = True
    """Whether an alarm that rings while the canary runs takes the release back."""
    snap_start: str = ""
    """Which public functions start from a snapshot: names, with commas, or `all`. See docs/performance.md."""
    account_concurrency: int = 1000
    """How many executions the AWS account may run at once. A new account has 10 at first."""

    requests_a_minute: int = 6000
    """What a tenant may ask for, each of its keys half of it: 100 a second, as a route of the gateway."""
    orders_a_minute: int = 1200
    """A carrier that hangs holds a create for 10 seconds: so a tenant has 200 of the 300 at the most."""
    batches_a_minute: int = 60
    """Up to 18,000 orders: hours of work for the carriers."""
    refreshes_a_minute: int = 1200
    """Refreshes, and parcels newly followed: less than an aggregator answers for one account."""

    default_throttle: Throttle = Throttle(rate=100, burst=200)
    open_throttle: Throttle = Throttle(rate=20, burst=40)
    pages_throttle: Throttle = Throttle(rate=50, burst=200)
    """A page asks for a dozen files at once, and each browser only once for each release."""
    webhook_throttle: Throttle = Throttle(rate=200, burst=400)

    def __post_init__(self) -> None:
        if self.canary_minutes not in CANARIES:
            raise ValueError(f"canary_minutes is one of {', '.join(map(str, CANARIES))}")
        if self.retention_days < KEPT.days:
            raise ValueError(f"retention_days is {KEPT.days} or more: so long are events kept")
        if bool(self.domain) != bool(self.certificate):
            raise ValueError("domain and certificate are given together")
        if bool(self.limits_table) != bool(self.limits_key):
            raise ValueError("limits_table and limits_key are given together")
        for name, arn, kind in (
            ("limits_table", self.limits_table, ":table/"),
            ("limits_key", self.limits_key, ":key/"),
        ):
            if arn and not (arn.startswith("arn:") and kind in arn):
                raise ValueError(f"{name} is an ARN, such as arn:aws:SERVICE:REGION:ACCOUNT{kind}NAME")
        if self.fixed_addresses not in range(3):
            raise ValueError("fixed_addresses is 0, 1 or 2")
        unknown = self.snap_started - PUBLIC
        if unknown:
            raise ValueError(
                f"snap_start names functions that have no versions: {', '.join(sorted(unknown))}"
            )

    def called_as(self, function: str) -> str:
        """The name by which the gateway, or whatever else calls it, calls a function."""
        name = self.name(function)
        return name if self.local or function not in PUBLIC else f"{name}:{ALIAS}"

    def begins_traces(self, function: str) -> bool:
        """Whether a call of the function that nobody traces yet may begin a trace."""
        return self.traces and (function in PUBLIC or self.worker_traces)

    def size(self, function: str) -> Size:
        """What the function of that name gets."""
        return self.sizes[function]

    def name(self, part: str) -> str:
        """The fixed name of a thing of this stage, for what others must know before it exists."""
        return f"parcelgate-{self.stage}-{part}"

    @property
    def snap_started(self) -> frozenset[str]:
        """The functions that start from a snapshot."""
        if self.snap_start == "all":
            return PUBLIC
        return frozenset(filter(None, (name.strip() for name in self.snap_start.split(","))))

    @property
    def secret_prefix(self) -> str:
        """What the names of this stage's carrier accounts begin with: no stage buys on another's account."""
        return f"parcelgate/{self.stage}"

    @property
    def removal_policy(self) -> str:
        """A name of CDK's RemovalPolicy, for what keeps data. What a failed creation made never stays."""
        return "RETAIN_ON_UPDATE_OR_DELETE" if self.protect_data else "DESTROY"

    @property
    def deletion_protected(self) -> bool:
        """Whether AWS refuses to delete the table and the stack."""
        return self.protect_data and not self.first_deployment

    @property
    def reserved_concurrency(self) -> Mapping[str, int]:
        """How much concurrency is reserved for each function. Empty where the account has too little."""
        shares = _SHARES | dict.fromkeys(ASK_CARRIERS, _ASKERS_SHARE)
        reserved = {name: share * self.account_concurrency // 1000 for name, share in shares.items()}
        fits = sum(reserved.values()) <= self.account_concurrency - _UNRESERVED
        return reserved if fits and not self.local else {}

    @property
    def metrics_namespace(self) -> str:
        """The namespace of this stage's metrics, so that other stages do not trigger its alarms."""
        return f"Parcelgate/{self.stage}"

    @property
    def poll_round(self) -> int:
        """How long after its beginning a round of polls begins new runs of its workers.

        The last of them ends before the next round, and within the five minutes that a round may take.
        """
        return max(0, min(60 * self.poll_minutes, 300) - self.size("poll_trackings").timeout - 15)

    @property
    def submit_timeout(self) -> int:
        """How long the state SubmitOrder waits for the carrier's callback, its function included."""
        margin = self.size("submit_order").timeout if self.submit_margin is None else self.submit_margin
        return margin + self.callback_wait


STAGES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
"""What stages on AWS have for good in place of the defaults: `{"production": {"monthly_budget": 100}}`."""

ALL_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "stage": "options",
        "domain": "api.example.com",
        "certificate": "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012",
        "fixed_addresses": "2",
        "monthly_budget": "100",
        "canary_minutes": "30",
        "rollback_on_alarms": "0",
        "traces": "0",
        "snap_start": "all",
        "limits_table": "arn:aws:dynamodb:us-east-1:111122223333:table/parcelgate-staging-usage",
        "limits_key": "arn:aws:kms:us-east-1:111122223333:key/12345678-1234-1234-1234-123456789012",
    }
)
"""The production stack with all that a setting adds, and what can be switched over switched over.

Checks look at it, since it has everything.
"""

GIVEN: Mapping[str, type] = MappingProxyType(
    {
        each.name: each.type
        for each in fields(Settings)
        if each.type in (bool, int, str) and each.name not in ("local", "stage")
    }
)
"""The settings that may be given for one deployment, with their types."""


def settings_for(stage: str, *, gateway_port: int | None = None, **overrides: int | str) -> Settings:
    """The settings of the environment `stage`, with what the caller gives in place of its own.

    Raises
    ------
    ValueError
        If a setting has a value that it cannot have.
    """
    given: dict[str, Any] = dict(overrides)
    if stage == "local":
        return replace(_local(), gateway_port=gateway_port, **given)
    return replace(Settings(stage=stage, protect_data=True), **{**STAGES.get(stage, {}), **given})


def _local() -> Settings:
    # Fifty cold starts at once take half a minute on two cores, and the emulator counts them as running time.
    sizes = {name: Size(size.memory, max(60, size.timeout)) for name, size in _SIZES.items()}
    return Settings(
        stage="local",
        local=True,
        sizes=MappingProxyType(sizes),
        log_retention="ONE_DAY",
        callback_wait=6,
        # The emulator counts none.
        heartbeat=0,
        # The emulator counts a token task's time-out from the return of its function.
        submit_margin=0,
        order_deadline=180,
        not_found_interval=5,
        refund_deadline=600,
        refund_retry_cap=8,
        retry_first=1,
        retry_cap=8,
        resubmit_pause=1,
        deadline_margin=45,
        sweep_minutes=1,
        poll_minutes=1,
        poll_workers=2,
        # The sandbox's parcels travel a day in a minute. They are polled twice as often, to show them move.
        poll_pace=2880,
        # One more than an account may have.
        poll_concurrency=3,
        poll_places=2,
        queue_concurrency=2,
        carrier_concurrency=3,
        carrier_places=2,
        label_concurrency=3,
        label_places=2,
        # What a function that died has left is worked on before its order's deadline here.
        hidden_times=2,
        # More than one endpoint may have under way, or one that hangs would hold up all others.
        delivery_concurrency=8,
        delivery_places=6,
        delivery_passes=1,
        delivery_plan="0,1,2,3,5,8,13,21,34,55",
        stream_retries=10,
        # A stack on one machine is for trying out, and for measuring.
        requests_a_minute=60_000,
        orders_a_minute=12_000,
        batches_a_minute=600,
        refreshes_a_minute=12_000,
        default_throttle=Throttle(rate=1000, burst=2000),
        open_throttle=Throttle(rate=1000, burst=2000),
        pages_throttle=Throttle(rate=1000, burst=2000),
        webhook_throttle=Throttle(rate=1000, burst=2000),
    )
