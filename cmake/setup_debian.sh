#!/bin/sh
# Installs what Quern needs from the system's packages, where it is missing. Safe to repeat; touches neither the network nor
# apt when nothing is missing.
#
#   sh cmake/setup_debian.sh [build] [python] [test] [lint]      (default: build)
#
# Run as root, or as a user who may use sudo. Made for Debian 12 and later, and Ubuntu; elsewhere it prints the list.
# Debian 12 carries Highway 1.0.3, which is unsafe here (see cmake/dependencies.cmake): libhwy-dev and libhwy1t64 1.2 are
# then taken from Debian 13 as two single files, from the mirror and with the keys that the machine's own apt uses. They
# need nothing newer than Debian 12, and the configuration of apt stays as it is. scikit-build-core, which builds the Python
# wheel, comes in the same way from Debian 12's backports.
# Lists of packages are meant to fall apart into words.
# shellcheck disable=SC2086,SC1091
set -eu

build_packages="g++ cmake ninja-build pkg-config libpcre2-dev nlohmann-json3-dev libcli11-dev libboost-dev libcurl4-openssl-dev libssl-dev"
test_packages="doctest-dev python3 curl abigail-tools dpkg-dev golang-go xvfb libgtk-3-dev"
# The tests of the Rust crates need a cargo of 1.63 or later; one that is there already is taken.
command -v cargo >/dev/null 2>&1 || test_packages="$test_packages cargo"
# The tests of the chat page: a browser, and node where there is none. Without them those tests are skipped.
browser_packages="chromium"
node_packages="nodejs npm"
# To build the Python wheel, and to test it (mypy); scikit-build-core besides.
python_packages="pybind11-dev python3-pybind11 python3-dev python3-venv python3-pip python3-numpy mypy"
lint_packages="clang clang-format clang-tidy"
highway_minimum=1.2

wanted=""
optional=""
python_wanted=""
for group in "${@:-build}"; do
  case $group in
    build) wanted="$wanted $build_packages" ;;
    python)
      wanted="$wanted $python_packages"
      python_wanted=1
      ;;
    test)
      wanted="$wanted $test_packages"
      # Without these the tests of the Python bindings are skipped.
      optional="$optional $python_packages"
      python_wanted=1
      command -v chromium >/dev/null 2>&1 || optional="$optional $browser_packages"
      command -v node >/dev/null 2>&1 || optional="$optional $node_packages"
      ;;
    lint) wanted="$wanted $lint_packages" ;;
    *) echo "setup: unknown group '$group' (known: build, python, test, lint)" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: no apt here. Please install the equivalents of:$wanted$optional"
  echo "setup: and Highway >= $highway_minimum (https://github.com/google/highway); without it CMake downloads and builds it."
  exit 0
fi

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}
missing() {
  for package in "$@"; do
    installed "$package" || printf ' %s' "$package"
  done
}
highway_ready() {
  installed libhwy-dev &&
    dpkg --compare-versions "$(dpkg-query -W -f '${Version}' libhwy-dev)" ge $highway_minimum
}

builder_ready() {
  [ -z "$python_wanted" ] || installed python3-scikit-build-core
}

todo=$(missing $wanted)
todo_optional=$(missing $optional)
if [ -z "$todo$todo_optional" ] && highway_ready && builder_ready; then
  exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "setup: these packages are missing and need root (or sudo) to install:$todo" >&2
    highway_ready || echo "setup: and libhwy-dev >= $highway_minimum" >&2
    exit 1
  fi
  as_root="sudo"
fi

scratch=$(mktemp -d)
trap '$as_root rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$scratch"  # apt downloads as a user of its own
log=$scratch/log

# run_apt ARGUMENTS...: quiet unless it fails.
run_apt() {
  if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
      "$@" >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    return 1
  fi
}
install_packages() {
  echo "setup: installing $*"
  run_apt install --no-install-recommends "$@"
}

echo "setup: reading the package lists"
run_apt update || echo "setup: apt-get update failed, going on with the lists at hand" >&2

if [ -n "$todo" ]; then
  install_packages $todo
fi

if [ -n "$todo_optional" ]; then
  install_packages $todo_optional || echo "setup: going on without$todo_optional: the tests that need them are skipped"
fi

# The $(...) are apt's. Prints "URI keyring" of the first http(s) source of this release's main archive.
# shellcheck disable=SC2016
debian_source() {
  apt-get indextargets --format '$(RELEASE)|$(REPO_URI)|$(SIGNED_BY)|$(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' -v release="$1" '$1 == release && $2 ~ /^http/ && $4 == "main" { print $2, $3; exit }'
}

# from_suite SUITE PACKAGE...: on Debian 12, single packages of another suite.
from_suite() {
  suite=$1
  shift
  packages=$*
  . /etc/os-release
  [ "${ID:-}" = debian ] && [ "${VERSION_CODENAME:-}" = bookworm ] || return 1
  source_line=$(debian_source bookworm)
  [ -n "$source_line" ] || source_line=$(debian_source oldstable)
  [ -n "$source_line" ] || return 1
  uri=${source_line%% *}
  keyring=${source_line#* }
  case $keyring in
    /*) keyring="[signed-by=$keyring]" ;;
    *) keyring="" ;;
  esac
  echo "setup: taking $packages from $suite"
  place=$scratch/$suite
  mkdir -p "$place/lists/partial" "$place/cache/archives/partial" "$place/debs"
  chmod 777 "$place/debs"
  echo "deb $keyring $uri $suite main" >"$place/source.list"
  # Only these packages are fetched, with lists of their own: the machine keeps its release.
  set -- -o "Dir::Etc::SourceList=$place/source.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o APT::Default-Release= \
    -o "Dir::State::Lists=$place/lists" -o "Dir::Cache=$place/cache" -o Acquire::Languages=none
  run_apt "$@" update || return 1
  (cd "$place/debs" && run_apt "$@" download $packages) || return 1
  run_apt install --no-install-recommends "$place"/debs/*.deb
}

available() {
  candidate=$(apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
  [ -n "$candidate" ] && [ "$candidate" != "(none)" ]
}

if ! highway_ready; then
  if available libhwy-dev && dpkg --compare-versions "$candidate" ge $highway_minimum; then
    install_packages libhwy-dev
  elif ! from_suite trixie libhwy-dev libhwy1t64; then
    echo "setup: no package of Highway >= $highway_minimum for this system: CMake downloads and builds it"
    todo=$(missing git ca-certificates)
    [ -z "$todo" ] || install_packages $todo
  fi
fi

if ! builder_ready; then
  if available python3-scikit-build-core; then
    install_packages python3-scikit-build-core
  # It needs a newer python3-packaging than Debian 12's.
  elif ! from_suite bookworm-backports python3-scikit-build-core python3-packaging; then
    echo "setup: no package of scikit-build-core for this system: pip fetches it when it builds the wheel"
  fi || echo "setup: going on without scikit-build-core: the tests of the Python bindings are skipped"
fi
