"""The drill `restore`: orders are gone from the table, and the stack goes over to a restored one."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from local.command.deployment import Deployment
from local.command.rendering import counted
from local.drills.drill import Drill
from local.drills.scene import Block
from local.stack import stack
from parcelgate.store import keys


class Restore(Drill):
    """All items of the tenant are deleted, as by a hand or a wrong release.

    AWS restores a table as it was at any second. The emulator takes that command and gives the table as it is
    now, so the drill has a backup made before the damage, which both restore as it was.
    """

    name = "restore"
    line = "all orders of a tenant are deleted from the table; the stack goes over to a restored one"
    section = "Restore"
    page = "orders"
    alone = True

    def damage(self) -> None:
        """Post orders, keep a backup of the table, and delete what the tenant has."""
        self.scene.put_account("lme")
        for _ in range(2):
            self.scene.post("lme")
        self.scene.until(lambda: not [*self.scene.open_orders()], "the orders and their labels")
        self._table = self.scene.outputs["TableName"]
        self._new = f"{self._table}-{uuid4().hex[:6]}"
        client = self.scene.client("dynamodb")
        backup = client.create_backup(TableName=self._table, BackupName=self._new[-20:])
        self._backup = backup["BackupDetails"]["BackupArn"]
        self._settings = self.scene.state / stack.SETTINGS
        self.scene.undo.callback(self._go_back)
        for item in self._items(self._table):
            self._lost.append(item)
            client.delete_item(TableName=self._table, Key={name: item[name] for name in ("pk", "sk")})

    def shown(self) -> Iterable[str]:
        """The orders that are gone."""
        orders = self.scene.get("/v1/orders")["data"]
        yield f"{counted(len(orders), 'order')}; there were {len(self.scene.orders)}"
        yield f"TABLE is {self._table}, NEW_TABLE can be {self._new}"
        yield f"BACKUP is {self._backup}"
        yield f'The local stack takes {{"table_stream": ...}} from {self._settings}; `make up` deploys it.'

    def commands(self) -> Iterator[Block]:
        """Restore the table, set it up, have the stack run on it, and buy one more order there."""
        values = {"TABLE": self._table, "NEW_TABLE": self._new, "BACKUP": self._backup}
        yield Block("Restore", "describe-continuous-backups", values)
        yield Block("Restore", "restore-table-from-backup", values)
        yield Block("Restore", "update-time-to-live", values)
        self._write_the_setting()
        # What `make deploy` is to a stack on AWS, `make up` is to the local one.
        stack.up(self.scene.state)

    def broken(self) -> Iterable[str]:
        """The table in use, and the orders; then one more order, which needs the stream of the new table."""
        used = Deployment.local(self.scene.state / "stack.json").outputs["TableName"]
        if used == self._table:
            yield f"the stack runs on {used}"
            return
        for order in self.scene.orders:
            if self.scene.http.get(f"/v1/orders/{order['id']}").status_code != 200:
                yield f"{order['id']} is gone"
                return
        if not self._bought:
            self.scene.tell("    The orders are back. One more is bought on the restored table.")
            self._bought.append(self.scene.post("lme"))
        yield from super().broken()

    _lost: list[Mapping[str, Any]]
    _bought: list[Mapping[str, Any]]

    def __init__(self, scene: Any) -> None:
        super().__init__(scene)
        self._lost, self._bought = [], []

    def _write_the_setting(self) -> None:
        client = self.scene.client("dynamodb")
        stream = client.describe_table(TableName=self._new)["Table"]["LatestStreamArn"]
        self._settings.write_text(json.dumps({"table_stream": stream}) + "\n")

    def _go_back(self) -> None:
        """Have the stack run on its own table again, with all that the tenant has in the other one."""
        client = self.scene.client("dynamodb")
        restored = self._new in client.list_tables()["TableNames"]
        for item in [*self._lost, *(self._items(self._new) if restored else ())]:
            client.put_item(TableName=self._table, Item=item)
        self.scene.tell("    The stack goes back to its own table.")
        self._settings.unlink(missing_ok=True)
        stack.up(self.scene.state)
        if restored:
            client.update_table(TableName=self._new, DeletionProtectionEnabled=False)
            client.delete_table(TableName=self._new)
        client.delete_backup(BackupArn=self._backup)

    def _items(self, table: str) -> list[Mapping[str, Any]]:
        """All that the tenant has in a table, except its key, which the drill itself needs."""
        prefix = keys.tenant_prefix(self.scene.tenant)
        pages = self.scene.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [
            item
            for page in pages
            for item in page["Items"]
            if item["pk"]["S"].startswith(prefix) and "KEY" not in item["pk"]["S"]
        ]
