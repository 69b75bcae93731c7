"""The contract's resources, as clients see them: one module for each noun, made from the domain's objects.

Where a resource shows a whole domain object, it contains that object, so a new field of it is shown without
a change here (see `docs/adding-a-field.md`). Fields that are not listed, such as the state of a submission,
an order's version and the keys of stored labels, are never shown. `http.answers.encode` writes money as
decimal strings, measures as numbers and times in RFC 3339.
"""
