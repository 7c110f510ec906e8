#!/usr/bin/env bash
# The integration tests, and those of the Python side, on free-threaded CPythons:
#   scripts/test-free-threaded.sh [3.13] [3.14] …      default: 3.13
# Builds them first where they are not there (scripts/free-threaded.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(3.13)
bash scripts/free-threaded.sh "${versions[@]}"

status=0
for version in "${versions[@]}"; do
  executable=$(realpath -m "${RXJS_PYTHON_TEST_PYTHONS:-.cache/pythons}")/${version}t/bin/python${version}t
  "$executable" scripts/python_tests.py || status=1
  RXJS_PYTHON_TEST_PYTHON=$executable node --import=tsx scripts/test-matrix.ts 'test/integration/**/*.test.ts' || status=1
done
exit "$status"
