"""A stand-in for AWS's command line, for the runbook's commands on this machine.

It reads a command by botocore's own description of the service, as AWS's tool does, and makes the same call.
It knows `--query`, `--output`, waiters, lists, JSON and `Key=value,...`, and no files, prompts and profiles.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import Shape, StructureShape

FAILED, WRONG_USE = 254, 252
"""The exit codes of AWS's own tool."""
_GLOBAL = ("query", "output", "region")


class UseError(Exception):
    """The command is none; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Make the call and print its answer; return the exit code."""
    if {"-h", "--help", "help"} & {*arguments}:
        sys.stdout.write(__doc__ or "")
        return 0
    try:
        service, operation, *options = arguments
        waits = operation == "wait"
        if waits:
            operation, *options = options
        given = _options(options)
        chosen = {name: given.pop(name, [])[:1] for name in _GLOBAL}
        client = boto3.client(service, region_name=next(iter(chosen["region"]), None))
        answer = _wait(client, operation, given) if waits else _call(client, operation, given)
    except (UseError, ValueError) as error:
        sys.stderr.write(f"aws: {error}\n")
        return WRONG_USE
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"aws: {error}\n")
        return FAILED
    for query in chosen["query"]:
        answer = jmespath.search(query, answer)
    _show(answer, text=chosen["output"] == ["text"])
    return 0


def install(folder: Path) -> None:
    """Put the stand-in into a folder as `aws`, for shells whose PATH begins with it."""
    program = folder / "aws"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m local.drills.aws "$@"\n')
    program.chmod(0o755)


_ROOT = Path(__file__).resolve().parents[2]


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            options[name] = []
        elif name is None:
            raise UseError(f"{word} belongs to no option")
        else:
            options[name].append(word)
    return options


def _call(client: Any, command: str, given: dict[str, list[str]]) -> Any:
    model = client.meta.service_model
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in names:
        raise UseError(f"{model.service_name} has no operation {command}")
    shape = model.operation_model(names[command]).input_shape
    method = getattr(client, xform_name(names[command]))
    answer = method(**_parameters(shape, given))
    answer.pop("ResponseMetadata", None)
    return answer


def _wait(client: Any, command: str, given: dict[str, list[str]]) -> None:
    waiter = client.get_waiter(command.replace("-", "_"))
    operation = client.meta.service_model.operation_model(waiter.config.operation)
    waiter.wait(**_parameters(operation.input_shape, given))


def _parameters(shape: StructureShape | None, given: dict[str, list[str]]) -> dict[str, Any]:
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    found: dict[str, Any] = {}
    for option, words in given.items():
        switched_off = option.startswith("no-") and option not in members
        name = members.get(option.removeprefix("no-") if switched_off else option)
        if shape is None or name is None:
            raise UseError(f"there is no option --{option}")
        found[name] = not switched_off if not words else _value(shape.members[name], words)
    return found


def _value(shape: Shape, words: list[str]) -> Any:
    if words[0][:1] in ("{", "["):
        return json.loads(words[0])
    if shape.type_name == "list":
        return [_value(shape.member, [each]) for word in words for each in _parts(shape.member, word)]
    if len(words) > 1:
        raise UseError(f"one value is wanted, and not {' '.join(words)}")
    return _of_text(shape, words[0])


def _of_text(shape: Shape, text: str) -> Any:
    match shape.type_name:
        case "structure":
            pairs = (part.partition("=") for part in text.split(","))
            return {key: _of_text(shape.members[key], value) for key, _, value in pairs}
        case "map":
            return {key: value for key, _, value in (part.partition("=") for part in text.split(","))}
        case "integer" | "long":
            return int(text)
        case "boolean":
            return text.lower() == "true"
        case _:
            return text


def _parts(shape: Shape, word: str) -> list[str]:
    return [word] if shape.type_name == "structure" else word.split(",")


def _show(answer: Any, *, text: bool) -> None:
    if answer in (None, {}) and not text:
        return
    if not text:
        sys.stdout.write(json.dumps(answer, indent=4, default=str) + "\n")
        return
    for row in answer if isinstance(answer, list) else [answer]:
        cells = row if isinstance(row, list) else [row]
        sys.stdout.write("\t".join(str(cell) for cell in cells) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    raise SystemExit(main(sys.argv[1:]))
