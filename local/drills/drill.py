"""How a drill goes: orders are made, something breaks, the alarms ring, and the runbook mends it.

Every drill is a `Drill`. `practise` runs one from its beginning to its end, and undoes what it broke.
"""

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from infra.settings import settings_for
from local.command.deployment import LOCAL_NAME
from local.drills import runbook
from local.drills.scene import PATIENCE, POLL, Block, NotSeenError, Scene
from local.drills.watch import Ringing, Watch

FOR_A_PERSON = 3600.0
"""Seconds that a person may take to mend it."""
_INDENT = "    "
_LINES = 15
"""How much of a command's output is shown."""


class Drill(ABC):
    """One thing that can go wrong.

    A drill breaks only what is its own tenant's, unless `alone` says that it concerns the whole stack.
    """

    name: ClassVar[str]
    line: ClassVar[str]
    """What breaks, in one line."""
    section: ClassVar[str]
    """The heading of the runbook's section."""
    page: ClassVar[str]
    """The page of the console that shows it."""
    alarms: ClassVar[tuple[str, ...]] = ()
    """The alarms that must ring."""
    alone: ClassVar[bool] = False

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @abstractmethod
    def damage(self) -> None:
        """Make orders and break something. What puts it back goes to the scene's `undo`."""

    @abstractmethod
    def shown(self) -> Iterable[str]:
        """Return what the console's page says, a line for each thing."""

    @abstractmethod
    def commands(self) -> Iterator[Block]:
        """Give the runbook's commands that mend it. Each is run before the next is asked for."""

    def looked(self) -> None:  # noqa: B027 - most drills have nothing to do then
        """Do what happens by itself once somebody has looked, such as a carrier that comes back."""

    def broken(self) -> Iterable[str]:
        """Say what is still broken. Nothing: it is mended."""
        return self.scene.open_orders()


@dataclass(frozen=True)
class Result:
    """How a drill ended: its mistakes, the seconds until the alarms rang, and those until all was mended."""

    name: str
    orders: int
    mistakes: tuple[str, ...]
    seen: float
    mended: float
    commands: tuple[runbook.Block, ...]
    """The runbook's commands that were run."""

    @property
    def is_good(self) -> bool:
        """Whether every order ended well."""
        return not self.mistakes


def practise(kind: type[Drill], state: Path, tell: Callable[[str], None], *, mends: bool) -> Result:
    """Run a drill on the stack in `state` and return how it ended.

    Parameters
    ----------
    kind
        The drill.
    state
        The stack's state folder.
    tell
        Prints a line.
    mends
        Whether to run the runbook's commands here; otherwise it waits for a person to do that.
    """
    began = time.monotonic()
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="parcelgate-drill-")))
        tenant = f"drill-{kind.name}-{uuid4().hex[:8]}"
        scene = Scene(state, tenant, folder, tell, mends, undo)
        undo.callback(scene.settle)
        drill = kind(scene)
        namespace = settings_for(scene.names["STAGE"]).metrics_namespace
        watch = Watch(scene.client, stack=LOCAL_NAME, namespace=namespace)
        tell(f"{kind.name}: {kind.line}")
        tell(f"{_INDENT}tenant {tenant} on {scene.stack.api_url}")
        try:
            drill.damage()
            ringing = _alarms(drill, watch)
            seen = time.monotonic() - began
            _show(drill, watch, ringing, seen)
            drill.looked()
            commands = tuple(_mend(drill)) if mends else ()
            _wait(drill, within=PATIENCE if mends else FOR_A_PERSON)
            mistakes = tuple(scene.mistakes())
        except NotSeenError as error:
            return Result(kind.name, len(scene.orders), (str(error),), 0, time.monotonic() - began, ())
        return Result(kind.name, len(scene.orders), mistakes, seen, time.monotonic() - began, commands)


def _alarms(drill: Drill, watch: Watch) -> list[Ringing]:
    found: list[Ringing] = []

    def ring() -> bool:
        found[:] = watch.ringing()
        return {*drill.alarms} <= {each.name for each in found}

    try:
        drill.scene.until(ring, "")
    except NotSeenError:
        heard = ", ".join(each.name for each in found) or "none"
        raise NotSeenError(
            f"these alarms should ring: {', '.join(drill.alarms)}; these do: {heard}"
        ) from None
    return found


def _show(drill: Drill, watch: Watch, ringing: Iterable[Ringing], seconds: float) -> None:
    scene, tell = drill.scene, drill.scene.tell
    tell(f"{_INDENT}after {seconds:.0f} s:")
    for each in ringing:
        tell(f"{_INDENT}ALARM {each.name}: {each.value:g}, threshold {each.threshold:g}. {each.description}")
    if not drill.alarms:
        tell(f"{_INDENT}no alarm rings")
    tell(f"{_INDENT}not measured here: {', '.join(watch.unmeasured)}")
    tell(f"{_INDENT}console {scene.console(drill.page)}")
    for line in drill.shown():
        tell(f"{_INDENT}  {line}")
    tell(f"{_INDENT}runbook {scene.runbook(drill.section)}")
    if scene.mends:
        return
    tell(f"{_INDENT}The console's key, until the drill is over:")
    tell(f"{_INDENT}  {scene.key}")
    tell(f'{_INDENT}Mend it with the section "{drill.section}" of docs/runbook.md, in another terminal:')
    tell(
        f"{_INDENT}  export AWS_ENDPOINT_URL={scene.stack.aws_endpoint_url} AWS_DEFAULT_REGION=us-east-1 "
        f"AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test PATH={runbook.programs(scene.folder)}:$PATH"
    )
    words = {name: value for name, value in scene.names.items() if name != "ACCOUNT"}
    tell(f"{_INDENT}  " + ", ".join(f"{name} is {value}" for name, value in words.items()))


def _mend(drill: Drill) -> Iterator[runbook.Block]:
    """Run the runbook's commands for this drill, and give each as it stands there."""
    scene = drill.scene
    for each in drill.commands():
        block = runbook.block(each.section, each.words)
        script = block.filled({**scene.names, **each.values})
        for line in script.splitlines():
            scene.tell(f"{_INDENT}$ {line}")
        done = runbook.run(script, endpoint=scene.stack.aws_endpoint_url, folder=scene.folder)
        lines = (done.stdout + done.stderr).splitlines()
        for line in lines[:_LINES]:
            scene.tell(f"{_INDENT}  {line}")
        if len(lines) > _LINES:
            scene.tell(f"{_INDENT}  ... {len(lines) - _LINES} lines more")
        if done.returncode and not each.may_fail:
            raise NotSeenError(f"the runbook's command ended with {done.returncode}: {script}")
        yield block


def _wait(drill: Drill, *, within: float) -> None:
    """Wait until all is mended, and say what is still broken whenever that changes."""
    deadline, before = time.monotonic() + within, None
    while broken := list(drill.broken()):
        if broken != before:
            for line in broken:
                drill.scene.tell(f"{_INDENT}still broken: {line}")
        before = broken
        if time.monotonic() > deadline:
            raise NotSeenError(f"not mended within {within:.0f} s: {'; '.join(broken)}")
        time.sleep(POLL)
    drill.scene.tell(f"{_INDENT}mended")
