"""How the emulator is started. Its program changes libraries, so it is read in a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.stack import emulator, processes

READ = """
import runpy, threading
from socketserver import BaseRequestHandler, StreamRequestHandler, TCPServer

assert not StreamRequestHandler.disable_nagle_algorithm
runpy.run_path({program!r}, run_name="read")
assert StreamRequestHandler.disable_nagle_algorithm, "an event is held back"

from ministack.core import lambda_runtime

pending, got = lambda_runtime.queue.Queue(maxsize=1), []
waits = threading.Thread(target=lambda: got.append(pending.get(timeout=0.1)), daemon=True)
waits.start()
server = TCPServer(("127.0.0.1", 0), BaseRequestHandler)
serves = threading.Thread(target=server.serve_forever, kwargs={{"poll_interval": 0.1}}, daemon=True)
serves.start()
waits.join(1)
assert waits.is_alive() and serves.is_alive(), "one of them looked and found nothing"
pending.put("an event")
server.shutdown()
waits.join()
print(got)
"""

BESIDE = """
import runpy, threading
from ministack.services import lambda_svc

begun, goes_on, reads = threading.Event(), threading.Event(), []

def read():
    reads.append(threading.current_thread().name)
    begun.set()
    goes_on.wait()
    if len(reads) == 2:
        raise ConnectionError("the first stream")
    return len(reads) == 1

lambda_svc._poll_dynamodb_streams = read
program = runpy.run_path({program!r}, run_name="read")
threading.Thread(target=program["_follow_streams"], name="streams", daemon=True).start()
assert not reads
print(lambda_svc._poll_dynamodb_streams(), begun.wait(60))
begun.clear()
goes_on.set()
begun.wait(60)  # One pass found something, so there may be more.
begun.clear()
while not begun.wait(0.1):
    lambda_svc._poll_dynamodb_streams()
print(*reads[:3])
"""

BATCHES = """
import runpy, threading
from ministack.services import dynamodb, lambda_svc

stream = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/1"
source = {{"EventSourceArn": stream, "MaximumRetryAttempts": 1}}
source["FilterCriteria"] = {{"Filters": [{{"Pattern": '{{"eventName": ["INSERT"]}}'}}]}}
records = [{{"eventName": "MODIFY" if number % 3 else "INSERT", "number": number}} for number in range(30)]
failed = {{"body": {{"batchItemFailures": [{{"itemIdentifier": "7"}}]}}}}
lambda_svc._iter_all_esms = lambda: iter([("account", "region", source)])
lambda_svc._execute_function = lambda function, event: failed
dynamodb.stream_records_since = lambda table, position, most: records[position:position + most]
runpy.run_path({program!r}, run_name="read")
event = {{"Records": [{{"dynamodb": {{"SequenceNumber": "7"}}, "eventSourceARN": stream}}]}}

def show():
    for position in (0, 1, 29):
        found = [each["number"] for each in dynamodb.stream_records_since("orders", position, 2)]
        print(found[0], len(found), end=" ")
    print(*[bool(lambda_svc._execute_function(None, event).get("error")) for _ in range(3)])

show()
reads = threading.Thread(target=show, name="streams")
reads.start()
reads.join()
"""


def test_its_program_is_run_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(processes, "start", lambda *arguments: started.append(arguments))
    emulator.start(1, tmp_path, tmp_path / "log")
    ((_, (_, _, program), *_),) = started
    assert Path(program).is_file()


def test_an_event_is_sent_at_once_and_nothing_looks_for_work_in_vain() -> None:
    """By itself every thread looks ten times a second, and notices its end when it does."""
    code = READ.format(program=str(emulator._PROGRAM))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.stdout, ran.stderr) == ("['an event']\n", "")


def test_queues_are_read_while_a_function_works_at_a_stream() -> None:
    """By itself one thread reads all of them, and waits for what a stream's function does."""
    code = BESIDE.format(program=str(emulator._PROGRAM))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.stdout == "False True\nstreams streams streams\n", ran.stderr
    assert "ConnectionError: the first stream" in ran.stderr


def test_a_batch_of_a_stream_is_full_and_comes_again_when_it_failed_in_part() -> None:
    """By itself of 100 records a few are left after the filters, and what a function could not do is gone."""
    code = BATCHES.format(program=str(emulator._PROGRAM))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    elsewhere, of_streams = "0 2 1 2 29 1 False False False", "0 4 1 6 29 1 True False False"
    assert ran.stdout.splitlines() == [elsewhere, of_streams], ran.stderr
