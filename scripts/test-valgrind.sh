#!/usr/bin/env bash
# valgrind's memcheck on the JSON codec, without a sanitizer: it also sees what libpython does to memory on the codec's
# behalf, which a sanitizer does not. About two minutes.
cd "$(dirname "$0")/.."
. scripts/sanitizers.sh
command -v valgrind > /dev/null || { echo 'valgrind is needed (apt install valgrind)' >&2; exit 1; }

folder=build-valgrind/build/Release
build_with "$folder" '' OFF RelWithDebInfo
find_python

# Python's objects come from malloc, so that each has bounds of its own. Not looked for: leaks, since interpreters are
# never finalised; and unset values, since memcheck takes what CPython's imports read from files for such, and with them
# whatever is made of it.
export PYTHONMALLOC=malloc
PYTHONHOME=$("$executable" -c 'import sys; print(sys.base_prefix)')
export PYTHONHOME
valgrind --quiet --error-exitcode=9 --leak-check=no --undef-value-errors=no --num-callers=30 \
  "$folder/json_test" "$library" test/native/json 0
echo 'valgrind: ok'
