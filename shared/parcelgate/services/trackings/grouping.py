"""Parcels by what they are asked about together."""

from collections.abc import Callable, Iterable


def grouped[K, T](things: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The things by their key, each group in the order in which its things came.

    >>> grouped(["a1", "b1", "a2"], lambda name: name[0])
    {'a': ['a1', 'a2'], 'b': ['b1']}
    """
    groups: dict[K, list[T]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups
