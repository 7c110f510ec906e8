"""Which numbers are even."""


def is_even(numbers: "list[int]") -> "list[bool]":
    """One answer for each number of the batch."""
    return [number % 2 == 0 for number in numbers]
