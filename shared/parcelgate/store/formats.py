"""The format of what one release leaves for another: stored documents, messages, inputs of executions.

Two releases work on the same table, queues and executions while a release goes out, and again if it is taken
back. So each must be able to read what the other writes. `make deploy` compares these numbers with those of
the running stack, and refuses a release that could not live beside it.

Nothing has to be raised for a new field with a default, as long as it does no harm that the release before
drops it: that one reads a document without the field, and may write it again so.

A form that the release before cannot read takes two releases. Such are a new value of a status or of another
enumeration, a field without a default that is no longer written, another type or unit or meaning of a
field, another key of an item that is read by its key, and a new kind of message.

1. The first reads both forms and still writes the old one: raise the second number of `READS`.
2. The second writes the new form: raise `WRITES`.

The first number of `READS` goes up only when nothing of the old form is left. Orders are kept for 400 days.
A test compares the forms of documents and messages with those that were written down when `WRITES` was raised
last (`tests/fixtures/written_formats.json`). It does not see keys, meanings, or attributes beside a document.
"""

WRITES = 4
"""The format of all that this release writes."""
READS = (1, 4)
"""The oldest and the newest format that this release can read.

In format 2 parcels wait in poll buckets, in format 3 a delivery is stored with its first attempt. In format
4 the bodies of events are compressed with the words that most of them have.
"""
