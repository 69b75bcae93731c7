"""The use cases: what Parcelgate does, each in one place. Functions call them; they know no HTTP."""
