#!/usr/bin/env bash
# Thread sanitizer: the native tests, which drive pools from several threads at once.
#
# No suppressions: libpython is not instrumented, so nothing inside of it is reported, while its locks are seen, which
# order what our threads do under the GIL. Suppressing calls from libpython would lose that order and report races that
# there are not. Isolation 'namespace' is left out: the private C libraries' locks cannot be seen.
cd "$(dirname "$0")/.."
. scripts/sanitizers.sh

folder=build-tsan
build_with "$folder" thread OFF
find_python

# The first report ends the program: leaving skips exit handlers, which would set the exit code.
export TSAN_OPTIONS=halt_on_error=1
"$folder/json_test" "$library" test/native/json
"$folder/seats_test"
"$folder/core_test" "$library" "$executable" python shared "${ROUNDS:-3}"
echo 'thread sanitizer: ok'
