"""What clients are shown: the contract's resources by their nouns, made from the domain's objects.

Where a resource shows a thing of the domain whole, it holds that very thing: a new field of it is shown
without a word here (see `docs/adding-a-field.md`). What is not listed (how an order is being sent, its
version, keys of stored labels) never leaves. `http.answers.encode` writes amounts of money as decimal
strings, measures as numbers and times as the contract has them.
"""
