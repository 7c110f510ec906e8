"""Types that stand for JavaScript values which Python has no type of its own for."""

from __future__ import annotations


class BigInt(int):
    """A JavaScript BigInt.

    It is an ``int`` in every respect; the type only remembers that the value has to go back as a
    BigInt however small it is. Arithmetic gives a plain ``int``, as with every subclass of ``int``:
    wrap the result, ``BigInt(a + b)``, where JavaScript expects a BigInt. Integers beyond 2**53 - 1
    go back as BigInt in any case.
    """

    __slots__ = ()
