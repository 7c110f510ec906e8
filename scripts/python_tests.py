"""Runs the tests of the Python side and writes their figures to a file: python_tests.py TOTALS."""

import json
import os
import sys
import unittest


def main() -> int:
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    suite = unittest.defaultTestLoader.discover(os.path.join(root, "test", "python"))
    result = unittest.TextTestRunner(verbosity=1, buffer=False).run(suite)
    failures = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passes = result.testsRun - failures - len(result.skipped)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"passes": passes, "failures": failures}, file)
    return min(failures, 255)


if __name__ == "__main__":
    sys.exit(main())
