"""What the commands have in common: how they refuse a value, and what they say where the system refuses."""

import sys

FAILED, REFUSED = 1, 2


def refused(sentence: str) -> int:
    """Say why on stderr, and return the exit status of a refused value."""
    print(sentence, file=sys.stderr)
    return REFUSED


def failed(error: OSError) -> int:
    """Say on stderr what the system refused, and return the exit status of a failure."""
    place = f" ({error.filename})" if error.filename else ""
    print(f"A file could not be read or written: {error.strerror or error}{place}.", file=sys.stderr)
    return FAILED
