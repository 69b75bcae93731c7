"""The drill `revoked-secret`: a carrier has revoked the credentials of an account."""

import json
from collections.abc import Iterable, Iterator

import sandbox.carriers
from local.drills.drill import Drill
from local.drills.scene import Block


class RevokedSecret(Drill):
    """The account's secret holds a login that the carrier does not let in."""

    name = "revoked-secret"
    line = "LME does not accept the credentials of the account any more"
    section = "Credentials refused"
    page = "accounts"
    alarms = ("credentials-refused",)

    def damage(self) -> None:
        """Store a login that the carrier does not know, and post orders."""
        self.scene.put_account("lme", credentials=sandbox.carriers.package("lme").new_login())
        self.scene.undo.callback(self.scene.put_account, "lme")
        self._file = self.scene.folder / "new-login.json"
        self._file.write_text(json.dumps({"credentials": self.scene.login("lme")}))
        for _ in range(3):
            self.scene.post("lme")

    def shown(self) -> Iterable[str]:
        """The account and what needs a person."""
        for each in self.scene.get("/v1/carrier-accounts")["data"]:
            yield f"{each['carrier']}/{each['account']}: login {each['login']}"
        for each in self.scene.get("/v1/attention")["data"]:
            yield f"{each['kind']} {each['id']}: {each['problem']['detail']}"
        yield f"the carrier has given you a new login: {self._file}"

    def commands(self) -> Iterator[Block]:
        """Store the new login."""
        yield Block("Credentials refused", "accounts put", {"CARRIER": "lme", "FILE": str(self._file)})
