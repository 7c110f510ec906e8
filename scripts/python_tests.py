"""Runs the tests of the Python side; their figures go to the file RXJS_PYTHON_TEST_TOTALS."""

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
    failed = [
        {"title": test.id(), "message": trace.strip().splitlines()[-1]}
        for test, trace in result.failures + result.errors
    ]
    failed += [{"title": test.id(), "message": "passed"} for test in result.unexpectedSuccesses]
    totals = os.environ.get("RXJS_PYTHON_TEST_TOTALS")
    if totals:
        with open(totals, "w", encoding="utf-8") as file:
            json.dump({"passes": passes, "failures": failures, "failed": failed}, file)
    return min(failures, 255)


if __name__ == "__main__":
    sys.exit(main())
