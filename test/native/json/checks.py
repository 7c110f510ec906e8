"""Runs every check; json_test.cc imports this."""

from __future__ import annotations

import check_both_ways
import check_decoding
import check_encoding

count = 0
for module in (check_decoding, check_encoding, check_both_ways):
    for name, check in vars(module).items():
        if name.startswith("check_"):
            check()
            count += 1
assert count >= 11, count
