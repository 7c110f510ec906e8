#!/usr/bin/env bash
# Builds free-threaded CPythons with a shared library from Debian's source packages, for the tests:
#   scripts/free-threaded.sh [3.13] [3.14] …      default: 3.13
# They go to .cache/pythons/3.13t and so on, where the tests look for Pythons; what is there already is left alone.
# About ten minutes each on two cores: the optimisations by profile, which take longer still, are left out. What the
# machine may spend is in JOBS (default 2). RXJS_PYTHON_TEST_PYTHONS names another folder.
#
# SANITIZE=thread builds one with the thread sanitizer instead, into .cache/pythons-thread: it sees the accesses of
# CPython and of this package to the same objects (scripts/test-tsan.sh).
#
# apt reads the sources through a root of its own, so the machine's packages and lists stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

suites=(trixie forky sid)
# Where a mirror lists a release and no longer (or not yet) has its files: one that stays, by its checksum.
declare -A known_release=([3.14]=3.14.7)
declare -A known_sha256=([3.14]=3b48dac8fb59f62eaa67ac83c1eb12bda1b7a08406dd286e252c11a66be27f81)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
folder=$(realpath -m "${RXJS_PYTHON_TEST_PYTHONS:-.cache/pythons}${SANITIZE:+-$SANITIZE}")
sanitizer=()
compile='-DNDEBUG -fwrapv -O2'
if [ -n "${SANITIZE:-}" ]; then
  sanitizer=("--with-$SANITIZE-sanitizer")
  compile='-DNDEBUG -fwrapv -O1 -g1'
  # The build runs the Python it makes: CPython's own reports must not end it.
  export TSAN_OPTIONS='exitcode=0 report_bugs=0' ASAN_OPTIONS=detect_leaks=0
fi
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(3.13)

# The marker is written last: a build that was stopped is begun again.
built() { [ -e "$folder/$1t/.complete" ] && "$folder/$1t/bin/python${1}t" -c '' 2> /dev/null; }

missing() {
  echo "$1 is needed to build a free-threaded Python (${2:-apt install $1})" >&2
  exit 1
}

check_tools() {
  local tool header
  for tool in apt-get make xz "${CC:-cc}"; do
    command -v "$tool" > /dev/null || missing "$tool" 'this script is for Debian and what derives from it'
  done
  [ -e "$keyring" ] || missing debian-archive-keyring
  # Without these two there is no pip.
  for header in zlib.h:zlib1g-dev openssl/ssl.h:libssl-dev ffi.h:libffi-dev; do
    echo "#include <${header%%:*}>" | "${CC:-cc}" -E - > /dev/null 2>&1 || missing "${header##*:}"
  done
}

# fetch VERSION ROOT: the source package into ROOT, unpacked to ROOT/source. The newest release of the suites that the
# mirror still has is taken: what leaves it stays listed for a while.
fetch() {
  local version=$1 root=$2 mirror suite options release
  mkdir -p "$root"/{etc/apt.conf.d,etc/preferences.d,etc/sources.list.d,cache/archives/partial,state/lists/partial}
  : > "$root/status"
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2> /dev/null | head -n 1)
  mirror=${mirror:-http://deb.debian.org/debian}
  for suite in "${suites[@]}"; do
    echo "deb-src [signed-by=$keyring] $mirror $suite main"
  done > "$root/etc/sources.list"
  options=(-qq -o Dir::Etc="$root/etc" -o Dir::Cache="$root/cache" -o Dir::State="$root/state"
    -o Dir::State::status="$root/status" -o APT::Sandbox::User="$(id -un)")
  apt-get "${options[@]}" update
  for release in $(apt-cache "${options[@]}" showsrc "python$version" | sed -n 's/^Version: //p' | sort -rV); do
    (cd "$root" && apt-get "${options[@]}" --download-only source "python$version=$release") && break
  done
  compgen -G "$root/python${version}_*.orig.tar.xz" > /dev/null || fetch_known "$version" "$root"
  mkdir "$root/source"
  tar -xf "$root"/python"$version"_*.orig.tar.xz -C "$root/source" --strip-components 1
}

# fetch_known VERSION ROOT: the sources of the release above, which is told by its checksum.
fetch_known() {
  local file=python$1_${known_release[$1]:?no release of Python $1 is known}.orig.tar.xz
  /usr/lib/apt/apt-helper download-file \
    "$mirror/pool/main/p/python$1/$file" "$2/$file" "SHA256:${known_sha256[$1]}"
}

# build VERSION: in a folder of its own, then into place.
build() (
  set -e
  version=$1 prefix=$folder/${1}t
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  fetch "$version" "$root"
  mkdir "$root/build"
  cd "$root/build"
  ../source/configure -q --prefix="$prefix" --disable-gil --enable-shared --disable-test-modules \
    "${sanitizer[@]}" OPT="$compile" LDFLAGS="-Wl,-rpath,$prefix/lib"
  nice -n 10 make -s -j"${JOBS:-2}"
  rm -rf "$prefix"
  make -s install
  : > "$prefix/.complete"
)

for version in "${versions[@]}"; do
  if ! built "$version"; then
    check_tools
    mkdir -p "$folder"
    echo "Python ${version}t is built, once, in $folder/${version}t: this takes some minutes"
    log=$folder/${version}t.log
    # Not as a condition: bash would not stop at the first command that fails in there.
    set +e
    build "$version" > "$log" 2>&1
    status=$?
    set -e
    if [ "$status" -ne 0 ]; then
      tail -n 30 "$log" >&2
      echo "Python ${version}t could not be built; everything that was said is in $log" >&2
      exit 1
    fi
  fi
  "$folder/${version}t/bin/python${version}t" -VV
done
