#!/bin/sh
# From a fresh Debian 12 to a tested library: installs what is missing, builds, and runs every test.
#
#   sh tests/run.sh [ctest arguments]        e.g. sh tests/run.sh -R tokenizer
#
# Three builds: the release, with all tests; one with AddressSanitizer and UndefinedBehaviorSanitizer, with the tests of the
# rooms and the fuzz corpora (named asan.*); one with ThreadSanitizer, with the rooms that use threads (named tsan.*). These
# two have kernels for this machine's instruction set alone.
# QUERN_TEST_SANITIZERS="address thread" (the default) says which of the latter two; "" skips them.
# CI=1 treats warnings as errors. The last lines and the exit status are ctest's. Safe to repeat.
set -eu
cd "$(dirname "$0")/.."
sanitizers=${QUERN_TEST_SANITIZERS-address thread}
werror=OFF
if [ -n "${CI:-}" ]; then werror=ON; fi

echo "tests: packages"
sh cmake/setup_debian.sh build test

# A program that does not compile must not hide the tests of the others: its own test then fails as "Not Run".
status=0
folders=build/release
echo "tests: release build"
sh cmake/build.sh build/release --keep-going -DCMAKE_BUILD_TYPE=Release -DQUERN_BUILD_TESTS=ON -DQUERN_WERROR=$werror ||
  status=1

# sanitized NAME SANITIZERS OPTION...
sanitized() {
  echo "tests: $1 build"
  folders="$folders build/$1"
  name=$1
  kinds=$2
  shift 2
  sh cmake/build.sh "build/$name" --keep-going --target=quern_tests -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" -DCMAKE_C_FLAGS_DEBUG="-O1 -g1" "-DQUERN_SANITIZE=$kinds" -DQUERN_BUILD_TESTS=ON \
    -DQUERN_NATIVE=ON -DQUERN_BUILD_CLI=OFF -DQUERN_BUILD_EXAMPLES=OFF -DQUERN_NATIVE=ON -DQUERN_WERROR=$werror "$@" || status=1
}
for sanitizer in $sanitizers; do
  case $sanitizer in
    address) sanitized asan address,undefined ;;
    thread) sanitized tsan thread "-DQUERN_TEST_ROOMS=base;cpu;context;engine" ;;
    *) echo "tests: unknown sanitizer '$sanitizer' (known: address, thread)" >&2; exit 2 ;;
  esac
done
if [ $status -ne 0 ]; then echo "tests: THE BUILD FAILED in part (see above); running what there is" >&2; fi

# One ctest over all builds.
mkdir -p build/all
for folder in $folders; do
  echo "subdirs(\"$PWD/$folder\")"
done >build/all/CTestTestfile.cmake
echo "tests: running"
ctest --test-dir build/all --output-on-failure -j "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)" "$@" || status=$?
exit $status
