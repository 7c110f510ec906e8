#!/usr/bin/env bash
# Address and undefined-behaviour sanitizers: the native tests, then the addon inside of Node with those integration
# tests that move memory, cancel calls and end processes.
#
# Not under a sanitizer: isolation 'namespace', whose private C libraries its runtime cannot follow; isolation 'process',
# whose workers load the addon without Node, which a sanitized library does not bear; and leak detection, since
# interpreters are never finalised.
cd "$(dirname "$0")/.."
. scripts/sanitizers.sh

folder=build-asan/build/Release # where node-gyp-build looks
build_with "$folder" address,undefined ON
find_python

# Python's objects come from malloc, so that a reference too few is seen as well.
export PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
"$folder/json_test" "$library" test/native/json
for target in json text values requests responses; do # inputs that fuzzing found
  PYTHONHOME=$(dirname "$(dirname "$(readlink -f "$executable")")") \
    "$folder/fuzz_test" "$library" python "$target" test/native/fuzz/corpus/"$target"/*
done
"$folder/seats_test"
"$folder/core_test" "$library" "$executable" python shared "${ROUNDS:-3}"

compiler=${CXX:-c++}
runtime="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libubsan.so)"
RXJS_PYTHON_PREBUILD="$PWD/build-asan" LD_PRELOAD="$runtime" node node_modules/mocha/bin/mocha.js \
  test/integration/{codec-array,codec-buffer,memory,interrupt,lifecycle,exit,workers}.test.ts \
  --timeout 120000 --grep '[(,] ?(namespace|process)[), ]|the processes of a round' --invert
echo 'address and undefined-behaviour sanitizers: ok'
