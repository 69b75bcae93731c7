"""Which calls belong to a case, which rule spoils them, and what a service says."""

import json
from typing import Any

import pytest

from local.faults.calls import aws_call, carrier_call
from local.faults.messages import Message
from local.faults.rules import Case, Cases, Chance, Rule, faults_of, handed_back, refusal, wrong_types

_SIGNED = b"AWS4-HMAC-SHA256 Credential=ASIA1/20261127/us-east-1/%s/aws4_request, SignedHeaders=host"


def request(start: str, **headers: str) -> Message:
    pairs = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Message(f"{start} HTTP/1.1\r\n\r\n".encode(), b"", pairs)


def signed(service: str, start: str = "POST /", **headers: str) -> Message:
    return request(start, authorization=(_SIGNED % service.encode()).decode(), **headers)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (signed("dynamodb", x_amz_target="DynamoDB_20120810.GetItem"), "dynamodb.GetItem"),
        (signed("sqs", x_amz_target="AmazonSQS.SendMessageBatch"), "sqs.SendMessageBatch"),
        (signed("states", x_amz_target="AWSStepFunctions.StartExecution"), "states.StartExecution"),
        (signed("s3", "PUT /labels/a.pdf"), "s3.PutObject"),
        (signed("lambda", "POST /2015-03-31/functions/f/invocations"), "lambda.Invoke"),
    ],
)
def test_a_call_to_aws_is_named_by_its_service_and_operation(message: Message, name: str) -> None:
    assert aws_call(message) == name


def test_a_carriers_call_is_named_without_the_numbers_in_its_path() -> None:
    assert carrier_call(request("DELETE /ubi/services/shipper/order/TN17?x=1")) == (
        "ubi DELETE /services/shipper/order/*"
    )


def test_a_call_belongs_to_the_case_whose_mark_it_has_and_with_it_its_invocation() -> None:
    cases = Cases()
    cases.put([{"case": "one", "marks": ["t-1"]}, {"case": "two", "marks": ["t-2"]}])

    def names(body: bytes, invocation: bytes) -> list[str]:
        return [case.name for case in cases.of(body, invocation)]

    assert names(b"nothing yet", b"A") == []
    assert names(b"pk=t-1", b"A") == ["one"]
    assert names(b"a cipher text", b"A") == ["one"]
    assert names(b"a cipher text", b"B") == []
    assert names(b"t-1 and t-2", b"C") == ["one", "two"]
    assert names(b"of one of them, and nobody knows which", b"C") == []


def test_a_mark_is_found_within_longer_words_and_among_marks_with_the_same_number() -> None:
    cases = Cases()
    cases.put([{"case": name, "marks": [f"s1-{name}-0001-x"]} for name in ("ubi", "lso")])
    cases.mark(cases.open["lso"], b"eyJ0+Zg/k==")

    def names(body: bytes) -> list[str]:
        return [case.name for case in cases.of(body, None)]

    assert names(b"pk=T%23s1-lso-0001-xyz") == ["lso"]
    assert names(b"pk=T#s1-lso-0001-x#s1-ubi-0001-x") == ["lso", "ubi"]
    assert names(b"Bearer eyJ0+Zg/k==") == ["lso"]
    assert names(b"s1-lso-00012-x") == []
    cases.close("lso")
    assert names(b"pk=T#s1-lso-0001-x#s1-ubi-0001-x, Bearer eyJ0+Zg/k==") == ["ubi"]


def test_a_case_without_marks_has_what_no_other_has() -> None:
    cases = Cases()
    cases.put([{"case": "one", "marks": ["t-1"]}, {"case": "rest", "marks": []}])
    assert [case.name for case in cases.of(b"the due index", None)] == ["rest"]
    assert [case.name for case in cases.of(b"t-1", None)] == ["one"]


def test_the_nth_call_is_spoilt_in_each_attempt_of_the_sdk_and_no_other_is() -> None:
    case = Case("one", rules=(Rule("sqs.SendMessage", "throttle", "sweep", nth=2),))
    seen = [
        case.note(function, call, attempt)
        for function, call, attempt in [
            ("sweep", "sqs.SendMessage", b"1"),
            ("router", "sqs.SendMessage", b"2"),
            ("sweep", "sqs.SendMessage", b"3"),
            ("sweep", "sqs.SendMessage", b"3"),
            ("sweep", "sqs.SendMessage", b"4"),
        ]
    ]
    assert [rule is not None for rule in seen] == [False, False, True, True, False]
    assert len(case.calls) == 4
    assert case.met == 2


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault"):
        Rule("sqs.SendMessage", "explode")


def test_each_call_has_the_faults_that_it_can_meet() -> None:
    assert "conflict" in faults_of("dynamodb.TransactWriteItems")
    assert "conflict" not in faults_of("dynamodb.GetItem")
    assert {"duplicate", "partial"} <= set(faults_of("sqs.SendMessageBatch"))
    assert "stale" in faults_of("dynamodb.Query")
    assert {"anothers", "slow_drip"} <= set(faults_of("ubi POST /orders"))


@pytest.mark.parametrize(
    ("call", "fault", "status", "code"),
    [
        ("dynamodb.PutItem", "throttle", 400, b"ProvisionedThroughputExceededException"),
        ("sqs.SendMessage", "throttle", 400, b"RequestThrottled"),
        ("s3.PutObject", "throttle", 503, b"<Code>SlowDown</Code>"),
        ("secretsmanager.GetSecretValue", "throttle", 400, b"ThrottlingException"),
        ("kms.Decrypt", "error", 500, b"KMSInternalException"),
        ("dynamodb.PutItem", "conflict", 400, b"TransactionConflictException"),
    ],
)
def test_each_service_refuses_in_its_own_words(call: str, fault: str, status: int, code: bytes) -> None:
    told = refusal(call, fault, b"{}")
    assert told[0] == status
    assert code in told[1]


def test_a_conflict_in_a_transaction_gives_a_reason_for_each_part() -> None:
    body = json.dumps({"TransactItems": [{}, {}]}).encode()
    told = json.loads(refusal("dynamodb.TransactWriteItems", "conflict", body)[1])
    assert [reason["Code"] for reason in told["CancellationReasons"]] == ["TransactionConflict", "None"]


def key(n: int) -> dict[str, Any]:
    return {"pk": {"S": str(n)}}


def test_the_second_half_of_a_batch_is_handed_back() -> None:
    sent = {"Entries": [{"Id": "0"}, {"Id": "1"}, {"Id": "2"}]}
    told = handed_back("sqs.SendMessageBatch", sent, {"Successful": [{"Id": "0"}, {"Id": "1"}, {"Id": "2"}]})
    assert told["Successful"] == [{"Id": "0"}]
    assert [failed["Id"] for failed in told["Failed"]] == ["1", "2"]

    told = handed_back("events.PutEvents", {"Entries": [{}, {}]}, {"Entries": [{"EventId": "a"}, {}]})
    assert told["FailedEntryCount"] == 1
    assert told["Entries"][0] == {"EventId": "a"}

    wanted = {"RequestItems": {"t": {"Keys": [key(1), key(2)]}}}
    told = handed_back("dynamodb.BatchGetItem", wanted, {"Responses": {"t": [key(2) | {"doc": {}}, key(1)]}})
    assert told == {
        "Responses": {"t": [key(1)]},
        "UnprocessedKeys": {"t": {"Keys": [key(2)]}},
    }


def test_other_types_keep_the_first_level() -> None:
    assert wrong_types({"code": 200, "data": {"n": "x", "list": [1]}}) == {
        "code": 200,
        "data": {"n": 7, "list": "unexpected"},
    }


def test_a_chance_spoils_its_share_of_the_calls_in_ways_that_they_can_meet() -> None:
    weights = {"throttle": 3, "html": 1}
    case = Case("load", chance=Chance(0.1, weights, seed=5))
    for number in range(2000):
        case.drawn("sqs.SendMessage" if number % 2 else "lso POST /orderCommit", None)
    assert case.made == {"sqs": 1000, "lso": 1000}
    assert set(case.spoilt) == {"sqs throttle", "lso html"}
    assert 150 < case.met == case.spoilt.total() < 250
    assert case.calls == []


def test_each_attempt_at_a_call_meets_the_same() -> None:
    case = Case("load", chance=Chance(1, {"throttle": 1, "error": 1, "delay": 1}))
    first = case.drawn("sqs.SendMessage", b"one")
    assert [case.drawn("sqs.SendMessage", b"one") for _ in range(9)] == [first] * 9
    assert case.met == 1


@pytest.mark.parametrize("chance", [{"share": 2, "faults": {}}, {"share": 0.1, "faults": {"no": 1}}])
def test_what_is_no_chance_is_refused(chance: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no "):
        Cases().put([{"case": "load", "marks": [], "chance": chance}])
