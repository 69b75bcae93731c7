"""`parcelgate login` and `parcelgate profiles`: the stacks that a user works on."""

import re
from typing import Annotated

import typer

from local.command import access, profiles
from local.command.access import JsonOption, checked_url, example, reported
from local.command.api import Api
from local.command.profiles import LOCAL, Profile
from local.command.rendering import WRONG_USE, ask, fail, say, show

group = typer.Typer(help="List the stacks that you have logged in to, and choose one.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the profile.")]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def login(
    name: NameArgument,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="PARCELGATE_URL", help="The API's address, without /v1. Without it you are asked."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="PARCELGATE_KEY",
            help="An API key. Without it you are asked, so that it is in no history.",
        ),
    ] = None,
) -> None:
    """Store the address of a stack and a key for it. Commands then work on this stack.

    They are kept in your configuration folder, in a file that only you can read. The key is tried first.
    """
    if not _NAME.fullmatch(name) or name == LOCAL:
        fail(
            f"{name} cannot be the name of a profile. Take letters, digits, dots and dashes.", code=WRONG_USE
        )
    url = url or ask("Address of the API, without /v1", instead="Give --url, or set PARCELGATE_URL.")
    url = checked_url(url.strip()).rstrip("/")
    key = key or ask("API key (it is not shown)", instead="Set PARCELGATE_KEY.", hide_input=True)
    profile = Profile(url, key.strip())
    with reported():
        Api(profile.url, profile.key, transport=access.transport, sleep=access.sleep).get("/v1/carriers")
    profiles.store(name, profile)
    say(f"Commands now work on {name}, {profile.url}. `parcelgate profiles use {LOCAL}` goes back.")


@group.command("list", epilog=example("parcelgate profiles list"))
def list_profiles(as_json: JsonOption = False) -> None:
    """List the profiles, without their keys. A star marks the one that is used where none is named."""
    chosen = profiles.chosen()
    rows = [
        (
            "*" if name == chosen else "",
            name,
            "the stack of `make up`" if name == LOCAL else profiles.load(name).url,
        )
        for name in profiles.names()
    ]
    show(("used", "profile", "address"), rows, as_json=as_json)


@group.command("use", epilog=example("parcelgate profiles use staging", "parcelgate profiles use local"))
def use_profile(name: NameArgument) -> None:
    """Choose the profile that is used where none is named."""
    profiles.use(name)
    say(f"Commands now work on {name}.")


@group.command("remove", epilog=example("parcelgate profiles remove staging"))
def remove_profile(name: NameArgument) -> None:
    """Forget a profile and its key. The key itself stays good; `parcelgate keys revoke` ends it."""
    profiles.remove(name)
    say(f"{name} is forgotten. Commands now work on {profiles.chosen()}.")
