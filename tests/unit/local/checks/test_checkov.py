"""What checkov finds is mended, or has a reason; and a reason is for something."""

import pytest

from local.checks.checkov import Accepted, Finding, accepted, judge

LOG = Finding("CKV_1", "Ensure that logs are encrypted", "AWS::Logs::LogGroup.A")
REASON = Accepted("CKV_1", "AWS::Logs::LogGroup.*", "they hold nothing personal")


def test_what_has_a_reason_is_left_alone() -> None:
    assert list(judge([LOG], [REASON])) == []


@pytest.mark.parametrize(
    "finding",
    [
        Finding("CKV_2", "another rule", "AWS::Logs::LogGroup.A"),
        Finding("CKV_1", "another resource", "AWS::SQS::Queue.A"),
    ],
)
def test_a_new_finding_is_said(finding: Finding) -> None:
    (line,) = judge([LOG, finding], [REASON])
    assert finding.check_id in line
    assert finding.resource in line


def test_a_reason_for_nothing_is_said() -> None:
    (line,) = judge([], [REASON])
    assert "no longer needed" in line


def test_every_reason_says_why() -> None:
    assert len(accepted()) >= 5
    assert all(len(each.because) > 60 for each in accepted())
