"""What the exporter will not do: one sentence that says what is wrong and what to do about it."""

from __future__ import annotations


class Refusal(Exception):
    """The message is for the user; the program prints it and ends with 1."""


def some(names: list[str], limit: int = 3) -> str:
    """The first of many names, and how many more there are."""
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
