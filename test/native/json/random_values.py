"""Values of every kind that the codec carries, at random."""

from __future__ import annotations

import math
import string


def random_text(chance):
    kind = chance.random()
    size = chance.choice([0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 70, 300])
    if kind < 0.4:
        return "".join(chance.choices(string.ascii_letters + " ", k=size))
    if kind < 0.6:
        return chance.choice(["Private", "Never-married", "White", "United-States", "", "\0", "é"])
    if kind < 0.8:
        return "".join(chance.choices('ab"\\/\n\x00\x1f\x7f\xe9\xff', k=size))
    return "".join(
        chance.choices(
            'a"\\\n\xe9\u0100\u20ac\uffff\ud800\udbff\udc00\udfff\U0001f600\U0010ffff', k=size
        )
    )


def random_number(chance):
    kind = chance.randrange(7)
    if kind == 0:
        return chance.randint(-10, 300)
    if kind == 1:
        return chance.randint(-(2**54), 2**54)
    if kind == 2:
        return chance.choice([1, -1]) * chance.getrandbits(
            chance.choice([30, 53, 62, 63, 64, 65, 200, 3000])
        )
    if kind == 3:
        return float(chance.randint(-1000, 1000))
    if kind == 4:
        return chance.uniform(-1, 1) * 10.0 ** chance.randint(-320, 308)
    if kind == 5:
        return chance.choice(
            [
                math.nan,
                math.inf,
                -math.inf,
                -0.0,
                0.0,
                5e-324,
                2.0**53,
                1e22,
                1e21,
                123456789012345680.0,
            ]
        )
    return math.ldexp(chance.random(), chance.randint(-1080, 1024))


def random_value(chance, depth):
    kind = chance.randrange(8 if depth > 0 else 5)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind <= 2:
        return random_number(chance)
    if kind <= 4:
        return random_text(chance)
    if kind == 5:
        return [random_value(chance, depth - 1) for _ in range(chance.choice([0, 1, 2, 5, 12]))]
    if kind == 6:
        names = [
            chance.choice(["id", "name", "age", random_text(chance)])
            for _ in range(chance.choice([0, 1, 3, 14]))
        ]
        return {name: random_value(chance, depth - 1) for name in names}
    names = ["age", "workclass", "fnlwgt", "native-country"]
    return [{name: random_value(chance, 0) for name in names} for _ in range(chance.choice([2, 6]))]
