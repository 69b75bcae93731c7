"""The parts of Parcelgate: each a construct of its own, put together by `infra.stack`."""
