"""Spoils the calls of the local stack's functions: to the AWS emulator, and to the carriers.

A proxy stands between the functions and what they call. `python -m local.faults` runs it; the stacks of the
tests start it. It passes everything on unchanged until a test opens a case.

A **case** is a set of marks, such as the name of a tenant and the id of its key. A call belongs to a case
when it contains one of its marks, or when it was made by an invocation that made such a call before. The
proxy notes the calls of each case, and spoils those that its rules name. A case without marks has all calls
that belong to no other case.

`POST /_faults/cases` takes a list of cases::

    {"case": "t-17", "marks": ["t-17"], "rules": [
      {"function": "create_order", "call": "dynamodb.TransactWriteItems", "nth": 1, "fault": "throttle"}]}

and replaces those of the same name. In place of rules a case may have a chance, for calls that nobody can
foresee::

    {"case": "all", "marks": [], "chance": {"share": 0.02, "faults": {"throttle": 3, "error": 1}, "seed": 7}}

`GET /_faults/cases/<case>` answers `{"calls": [{"function", "call", "nth"}], "met": 1, "times": [{"function",
"call", "began", "seconds"}], "made": {}, "spoilt": {}}`: the calls in their sequence, how many of them were
spoilt, and when each of the others began and how long it took. Of a case with a chance there is no sequence,
but the number of its calls, `{"dynamodb": 50}`, and of those that were spoilt, `{"dynamodb throttle": 1}`.
`DELETE /_faults/cases/<case>` forgets it. `local.faults.rules` has the table of the faults.
"""
