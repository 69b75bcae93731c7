"""A limit to this process's memory beneath the one at which Lambda kills it."""

import os
from functools import cache

_SHARE = 0.8
"""Of the function's memory: the rest is for what is not counted, such as code."""


@cache
def limit_memory() -> None:
    """Have what takes too much memory raise MemoryError, so that one document cannot end the function.

    Once for each process, and only in Lambda, which says how large the function is.
    """
    size = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    if size is None:
        return
    # Nobody else loads it.
    import resource

    _, highest = resource.getrlimit(resource.RLIMIT_DATA)
    limit = int(_SHARE * int(size) * 1024 * 1024)
    if highest == resource.RLIM_INFINITY or limit < highest:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, highest))
