"""The same work through Parcelgate and through others. `bench.side_by_side` measures it.

Each module imports what a function imports at its start, and has `once`, which does the work of one request:
JSON in, checks, mapping, the carrier's answer read, JSON out. Nothing goes over a network: the carrier's
answers are made up, and where AWS is called, the client's whole work is done but the exchange of bytes.
Code of others is not here. It is installed by `requirements/karrio.txt` and `requirements/cookbook.txt` when
it is measured.
"""
