"""Scale on paper: which quota of AWS binds first, and four bills.

``python -m bench.bills``. What an order takes was recorded (`bench/order_units.json`, see
`bench.order_units`); prices are those of `bench/prices.toml`, quotas those of `bench/quotas.toml`. Prints
Markdown.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bench import figures, prices
from bench.lives import TRADES
from bench.order_units import UNITS
from infra.settings import settings_for
from local import arguments

QUOTAS = Path(__file__).with_name("quotas.toml")
PEAK = 5
"""How many times the mean of the day the busiest hour of orders is. An assumption."""
DAYS = prices.MONTH_DAYS
ALARM_METRICS, DASHBOARDS, QUEUES = 70, 2, 11
"""In production's template: metrics that alarms read, dashboards, queues that Lambda reads.

`tests/infra/test_alarms.py` counts them there, since it takes a minute or more to synthesize the template.
"""
METRICS, IDLE_METRICS = 60, 3
"""The names of metrics in the code, and those that are written when there is nothing to do, by the sweep."""
POLLERS, LONG_POLL = 5, 20
"""How many pollers of Lambda's a queue has at least, and for how many seconds one waits."""
SWEEP = 0.3, 0.5
"""Seconds and GB of an idle sweep, assumed."""
IDLE_WORKER = 0.4
"""Seconds of a worker of a round in which nothing is due."""
AUTHORIZER = 0.05, 0.5
"""Seconds and GB of a look at an API key, assumed; the gateway keeps the answer for 30 seconds."""
PARTS = {
    "DynamoDB": ("write_unit", "read_unit"),
    "Lambda": ("lambda_gb_second", "lambda_request"),
    "Step Functions": ("transition",),
    "EventBridge and SQS": ("bus_event", "sqs_request"),
    "API Gateway": ("api_request",),
    "logs and traces": ("log_gb", "trace"),
    "S3, secrets, keys, data out": ("s3_put", "s3_get", "secret_read", "key_request", "gb_out"),
}


class Merchants(NamedTuple):
    """An example of a month."""

    orders: int
    """A day."""
    tenants: int
    accounts: int
    """With carriers, each with a secret."""
    carriers: int
    """Of which metrics tell."""


IDLE = Merchants(0, 1, 0, 0)
"""A stack that nobody uses."""
EXAMPLES = (IDLE, Merchants(1, 1, 1, 1), Merchants(5_000, 10, 30, 3), Merchants(5_000_000, 500, 1_500, 3))


@cache
def recorded() -> Mapping[str, Any]:
    """What an order of each carrier takes."""
    found: Mapping[str, Any] = json.loads(UNITS.read_text())
    return found


def mixed(kind: str) -> dict[str, float]:
    """What an order of the mean takes, by the carriers' shares in `bench.lives`."""
    shares = {trade.carrier: trade.share for trade in TRADES if trade.carrier in recorded()["carriers"]}
    whole: dict[str, float] = {}
    for carrier, share in shares.items():
        for name, amount in recorded()["carriers"][carrier][kind].items():
            whole[name] = whole.get(name, 0.0) + amount * share / sum(shares.values())
    return whole


# Quotas


def taken(use: Mapping[str, str], order: Mapping[str, Any]) -> tuple[float, str]:
    """What an order takes of a quota, and of what where that is not plain."""
    if not use:
        return 0.0, ""
    ((kind, name),) = use.items()
    if kind == "usage":
        return float(order["usage"].get(name, 0.0)), ""
    if kind == "call":
        return float(order["calls"].get(name, 0.0)), ""
    if kind == "seconds":
        functions = order["functions"]
        return sum(functions[each][1] for each in functions if name in ("*", each)), ""
    most = max(order["partitions"], key=order["partitions"].__getitem__)
    return float(order["partitions"][most]), most


def quotas() -> list[dict[str, Any]]:
    """Each quota, with the carrier whose orders take most of it, the narrowest first."""
    rows = []
    for quota in tomllib.loads(QUOTAS.read_text())["quota"]:
        uses = {name: taken(quota["use"], order) for name, order in recorded()["carriers"].items()}
        carrier = max(uses, key=lambda name: uses[name][0])
        amount, of = uses[carrier]
        rows.append({**quota, "carrier": carrier, "amount": amount, "of": of})
    return sorted(rows, key=lambda row: row["default"] / row["amount"] if row["amount"] else 1e12)


def own_shares() -> list[tuple[str, int, str, float]]:
    """The functions with a concurrency of their own, how much, and whose order keeps it busy how long."""
    rows = []
    for function, most in settings_for("production").reserved_concurrency.items():
        busy = {
            carrier: order["functions"].get(function, (0.0, 0.0))[1]
            for carrier, order in recorded()["carriers"].items()
        }
        carrier = max(busy, key=busy.__getitem__)
        if busy[carrier]:
            rows.append((function, most, carrier, busy[carrier]))
    return sorted(rows, key=lambda row: row[1] / row[3])


def _quota_table() -> str:
    heads = (
        "quota",
        "default",
        "adjustable",
        "one order takes",
        "binds at, orders a second",
        "what then",
        "seen",
    )
    rows = []
    for row in quotas():
        takes = f"{row['amount']:.3g} ({', '.join(filter(None, (row['carrier'], row['of'])))})"
        binds = f"{row['default'] / row['amount']:,.0f}" if row["amount"] else "never"
        takes = takes if row["amount"] else "nothing"
        whose = f", each {row['each']}" if "each" in row else ""
        name = f"[{row['name']}]({row['page']})"
        rows.append(
            (name, f"{row['default']:,}", row["adjustable"], takes, binds + whose, row["then"], row["seen"])
        )
    return figures.table(heads, rows)


def _share_table() -> str:
    heads = ("function", "its own concurrency", "busy, seconds of one order", "binds at, orders a second")
    rows = [
        (function, most, f"{busy:.2f} ({carrier})", f"{most / busy:,.0f}")
        for function, most, carrier, busy in own_shares()
    ]
    return figures.table(heads, rows)


# Bills


def bill(of: Merchants) -> dict[str, float]:
    """A month's bill in dollars, by its lines."""
    orders = of.orders * DAYS
    usage = mixed("usage")
    lines = {
        name: orders * sum(usage.get(kind, 0.0) * prices.price(kind) for kind in kinds)
        for name, kinds in PARTS.items()
    }
    lines["kept for 400 days, in the long run"] = orders * prices.dollars(mixed("kept"))  # type: ignore[arg-type]
    lines |= fixed(of)
    return lines


def fixed(of: Merchants) -> dict[str, float]:
    """What a month costs beside its orders."""
    settings = settings_for("production")
    rounds = DAYS * 1440 / settings.poll_minutes
    sweeps = DAYS * 1440 / settings.sweep_minutes
    memory = settings.size("poll_trackings").memory / 1024
    seconds, gb = SWEEP
    idle = rounds * (
        prices.price("express_execution")
        + settings.poll_workers
        * (IDLE_WORKER * memory * prices.price("lambda_gb_second") + prices.price("lambda_request"))
    ) + sweeps * (seconds * gb * prices.price("lambda_gb_second") + prices.price("lambda_request"))
    looks = min(of.orders * mixed("usage")["api_request"], of.tenants * 2880.0) * DAYS
    seconds, gb = AUTHORIZER
    look = (
        seconds * gb * prices.price("lambda_gb_second")
        + prices.price("lambda_request")
        + prices.price("read_unit")
    )
    hours = min(1.0, of.orders / 2)
    return {
        "rounds of polls and sweeps": idle,
        "API keys looked up": looks * look,
        "secrets and the key": of.accounts * prices.price("secret_month") + prices.price("key_month"),
        "queues polled in vain": QUEUES * POLLERS * DAYS * 86_400 / LONG_POLL * prices.price("sqs_request"),
        "alarms": ALARM_METRICS * prices.price("alarm_month"),
        "dashboards": DASHBOARDS * prices.price("dashboard_month"),
        "metrics": max(METRICS * of.carriers * hours, IDLE_METRICS) * prices.price("metric_month"),
    }


def _bill_table() -> str:
    heads = (
        "a month, in dollars",
        *(f"{of.orders:,} order{'s' * (of.orders != 1)} a day" for of in EXAMPLES),
    )
    bills = [bill(of) for of in EXAMPLES]
    rows: list[Sequence[object]] = [(name, *(_money(each[name]) for each in bills)) for name in bills[0]]
    sums = [sum(each.values()) for each in bills]
    rows.append(("**together**", *(f"**{_money(total)}**" for total in sums)))
    rows.append(
        (
            "an order",
            *(
                _money(total / of.orders / DAYS) if of.orders else ""
                for total, of in zip(sums, EXAMPLES, strict=True)
            ),
        )
    )
    mean = [of.orders / 86_400 for of in EXAMPLES]
    rows.append(("orders a second: mean, busiest hour", *(f"{each:.3g}, {PEAK * each:.3g}" for each in mean)))
    rows.append(("quotas that its busiest hour passes", *(_passed(of) for of in EXAMPLES)))
    return figures.table(heads, rows)


def _passed(of: Merchants) -> str:
    busy = PEAK * of.orders / 86_400
    names = []
    for row in quotas():
        each = busy / of.tenants if row.get("each") == "tenant" else busy
        if row["amount"] and each * row["amount"] > row["default"]:
            names.append(row["name"])
    return "; ".join(names) or "none"


def _money(dollars: float) -> str:
    if not dollars:
        return "0"
    return f"{dollars:,.0f}" if dollars >= 100 else f"{dollars:,.2f}" if dollars >= 0.01 else f"{dollars:.2g}"


def report() -> str:
    """The tables, as Markdown."""
    recording = f"What an order takes was recorded on {recorded()['recorded']} (`bench/order_units.json`)."
    return "\n\n".join(
        (
            recording,
            _quota_table(),
            "Functions that must not fill the account, or must always answer, have concurrency of their own, "
            "per thousand of the account's: it grows with that (`_SHARES` in `infra/settings.py`). Those "
            "that read a queue or the stream take more at a time when more waits, and bind later than here.",
            _share_table(),
            f"Four bills. The busiest hour is taken to have {PEAK} times the mean of the day.",
            _bill_table(),
        )
    )


def main() -> None:
    """Print the tables."""
    print(report())


if __name__ == "__main__":
    arguments.none(__doc__)
    main()
