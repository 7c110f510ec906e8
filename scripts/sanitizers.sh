# What test-asan.sh, test-tsan.sh and test-valgrind.sh share; they source it from the package's folder.
set -eu
command -v cmake > /dev/null || { echo 'cmake is needed to build with sanitizers (apt install cmake)' >&2; exit 1; }

# build_with FOLDER SANITIZERS ADDON [TYPE]: builds the native tests, and the addon where ADDON is ON.
build_with() {
  cmake -S . -B "$1" -DRXP_TESTS=ON -DRXP_ADDON="$3" -DRXP_SANITIZE="$2" -DCMAKE_BUILD_TYPE="${4:-Release}" > /dev/null
  cmake --build "$1" --parallel "${JOBS:-2}"
}

# The Python of the tests: its library and its executable.
find_python() {
  local found
  found=$(node --import=tsx -e "
    const { testPythonInfo } = require('./test/fixtures/python.ts')
    testPythonInfo().then(({ library, executable }) => console.log(library + '\\n' + executable))")
  library=$(echo "$found" | sed -n 1p)
  executable=$(echo "$found" | sed -n 2p)
}
