"""The words of lines of text."""

import re

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def split(lines: "list[str]") -> "list[list[str]]":
    """For each line its words, in small letters; any number of them."""
    return [[word.casefold() for word in WORD.findall(line)] for line in lines]
