"""The words in an order's reference that choose what happens to it."""

import re
from collections import Counter
from collections.abc import Mapping

#: The steering words, each to be prefixed with ``SBX-``. `n` is a number and is 1 when left out.
#: Words that a carrier has no use for (LSO is the only one with callbacks to an address given in
#: the order) do nothing there. Of several words that choose a journey the first one here counts.
WORDS: Mapping[str, str] = {
    "REJECT": "the create is refused with a readable code and message; nothing is bought",
    "FAIL": "committed, money held, fails later (LSO: code 1001)",
    "PENDING-n": "the first n questions after the order are answered 'not finished yet' (LSO: "
    "1024); it finishes, and calls back, only after them",
    "NOLABEL-n": "the first n questions after the label are answered 'not yet' (LSO: 1115)",
    "NOCALLBACK": "finishes without calling back",
    "LOST": "commits, then drops the connection without an answer",
    "5XX-n": "the first n calls about this reference, creates and questions after the order "
    "counted together, get HTTP 500 and are not carried out",
    "SLOW-n": "commits at once, answers the create n seconds later",
    "GARBAGE": "commits, answers the create with something that is not JSON",
    "BADLABEL": "every label is a file that is not a document",
    "SPOILT-n": "the first n answers to the label call hold something that is no document",
    "LABELURL": "the label comes as an address, not in Base64",
    "COLLECTED": "the parcel counts as collected at once: it can be neither cancelled nor changed (LME)",
    "ATTEMPT": "the first delivery fails, the second one succeeds",
    "CUSTOMS": "held by the customs, then released",
    "PARCELLOST": "the parcel is lost on its way",
    "DAMAGED": "the parcel is damaged and not delivered",
    "RETURN": "two deliveries fail, the parcel goes back to its sender",
    "COLLECTPOINT": "nobody is at home, a card is left, and the parcel is collected later",
    "HANDEDON": "nothing more is told once the parcel is handed to Australia Post (LME, to its far states)",
    "DISORDER": "tracking events come late, repeated and shuffled, in answers and in pushes",
    "NOPUSH": "tracking is not pushed (LME, TrackingMore): only who asks is told",
    "UNSIGNED": "tracking is pushed encrypted, but without signature headers (LME)",
    "PLAINPUSH": "tracking is pushed as plain JSON (LME)",
    "PUSHV1": "tracking is pushed with the fields of the older version (LME)",
    "EARLYCALLBACK": "finishes and calls back before the create is answered",
    "LIAR": "fails, and the callback says that it succeeded",
    "RESULT-c": "the first question after the order is answered c: 401 (the token is struck as "
    "well), 404, 1024, 5nn (as HTTP status too) or HTML; RESULT-cxn does so n times. Any other "
    "number: the order fails for good with that code",
}


def _pattern(word: str) -> re.Pattern[str]:
    name, _, argument = word.partition("-")
    argument_pattern = {
        "": "",
        "n": r"(?:-(\d+)(?![A-Za-z0-9]))?",
        "c": r"-(HTML|\d{3,4})(?:x(\d+))?",
    }[argument]
    return re.compile(rf"SBX-{name}(?![A-Za-z0-9]){argument_pattern}")


_PATTERNS = {word.partition("-")[0]: _pattern(word) for word in WORDS}


class Steering:
    """The steering words of one reference.

    >>> words = Steering("shop-17 SBX-FAIL SBX-PENDING-3")
    >>> words.has("FAIL"), words.number("PENDING"), words.number("NOLABEL")
    (True, 3, 0)
    """

    def __init__(self, reference: str) -> None:
        self._reference = reference

    def _find(self, word: str) -> re.Match[str] | None:
        return _PATTERNS[word].search(self._reference)

    def has(self, word: str) -> bool:
        """Return whether a word of the table is there."""
        return self._find(word) is not None

    def number(self, word: str) -> int:
        """Return a word's n: 0 when the word is not there, 1 when it has no number."""
        match = self._find(word)
        return int(match[1] or 1) if match else 0

    def result(self) -> tuple[str, int] | None:
        """Return the answer that RESULT asks for and how many times, or None."""
        match = self._find("RESULT")
        return (match[1], int(match[2] or 1)) if match else None


class Tally:
    """Counts how often something was asked, for words that act the first n times."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()

    def among_first(self, n: int, *what: str) -> bool:
        """Count `what` and return whether it is among the first n times."""
        self._seen[what] += 1
        return self._seen[what] <= n

    def reset(self) -> None:
        """Start to count from 0."""
        self._seen.clear()
