#!/bin/sh
# Installs what Quern needs from the system's packages, where it is missing. Safe to repeat; touches neither the network nor
# apt when nothing is missing.
#
#   sh cmake/setup_debian.sh [build] [test] [lint]      (default: build)
#
# Run as root, or as a user who may use sudo. Made for Debian 12 and later, and Ubuntu; elsewhere it prints the list.
# Debian 12 carries Highway 1.0.3, which is unsafe here (see cmake/dependencies.cmake): libhwy-dev and libhwy1t64 1.2 are
# then taken from Debian 13 as two single files, from the mirror and with the keys that the machine's own apt uses. They
# need nothing newer than Debian 12, and the configuration of apt stays as it is.
# Lists of packages are meant to fall apart into words.
# shellcheck disable=SC2086,SC1091
set -eu

build_packages="g++ cmake ninja-build pkg-config libpcre2-dev nlohmann-json3-dev libcli11-dev libboost-dev libcurl4-openssl-dev libssl-dev"
test_packages="doctest-dev python3 curl"
# The tests of the chat page: a browser, and node where there is none. Without them those tests are skipped.
browser_packages="chromium"
node_packages="nodejs npm"
lint_packages="clang clang-format clang-tidy"
highway_minimum=1.2

wanted=""
optional=""
for group in "${@:-build}"; do
  case $group in
    build) wanted="$wanted $build_packages" ;;
    test)
      wanted="$wanted $test_packages"
      command -v chromium >/dev/null 2>&1 || optional="$optional $browser_packages"
      command -v node >/dev/null 2>&1 || optional="$optional $node_packages"
      ;;
    lint) wanted="$wanted $lint_packages" ;;
    *) echo "setup: unknown group '$group' (known: build, test, lint)" >&2; exit 2 ;;
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

todo=$(missing $wanted)
todo_optional=$(missing $optional)
if [ -z "$todo$todo_optional" ] && highway_ready; then
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

highway_from_debian_13() {
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
  echo "setup: taking libhwy-dev and libhwy1t64 (Highway $highway_minimum) from Debian 13"
  mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/debs"
  chmod 777 "$scratch/debs"
  echo "deb $keyring $uri trixie main" >"$scratch/trixie.list"
  # Only these two packages are fetched, with lists of their own: the machine keeps its release.
  set -- -o "Dir::Etc::SourceList=$scratch/trixie.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o APT::Default-Release= \
    -o "Dir::State::Lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o Acquire::Languages=none
  run_apt "$@" update || return 1
  (cd "$scratch/debs" && run_apt "$@" download libhwy-dev libhwy1t64) || return 1
  run_apt install --no-install-recommends "$scratch"/debs/*.deb
}

if ! highway_ready; then
  candidate=$(apt-cache policy libhwy-dev 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
  if [ -n "$candidate" ] && [ "$candidate" != "(none)" ] &&
      dpkg --compare-versions "$candidate" ge $highway_minimum; then
    install_packages libhwy-dev
  elif ! highway_from_debian_13; then
    echo "setup: no package of Highway >= $highway_minimum for this system: CMake downloads and builds it"
    todo=$(missing git ca-certificates)
    [ -z "$todo" ] || install_packages $todo
  fi
fi
