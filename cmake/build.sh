#!/bin/sh
# Configures and builds in one folder, with as many jobs as processors and memory allow.
#
#   sh cmake/build.sh BUILD_FOLDER [-DOPTION=VALUE | --target=NAME | --keep-going]...
#
# Configures each time, which is quick when nothing changed. CC and CXX choose the compiler of a new folder.
set -eu
cd "$(dirname "$0")/.."
folder=$1
shift

keep_going=""
target=""
count=$#
while [ "$count" -gt 0 ]; do
  option=$1
  shift
  count=$((count - 1))
  case $option in
    --keep-going) keep_going="-k 0" ;;
    --target=*) target="--target ${option#--target=}" ;;
    *) set -- "$@" "$option" ;;
  esac
done
if command -v ccache >/dev/null 2>&1; then
  set -- "$@" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
fi

# A compiler on the SIMD kernels takes up to about 1 GiB.
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
memory_gib=$(awk '$1 == "MemAvailable:" { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || echo "$jobs")
if [ "${memory_gib:-$jobs}" -lt "$jobs" ]; then jobs=$((memory_gib > 0 ? memory_gib : 1)); fi

# Ninja keeps to one line on a terminal. Elsewhere: a line for each tenth of the work, and all that is not progress.
progress() {
  shown=-1
  while IFS= read -r line; do
    case $line in
      "["[0-9]*/[0-9]*"] "*)
        step=${line#?}
        steps=${step#*/}
        tenth=$((${step%%/*} * 10 / ${steps%%]*}))
        if [ "$tenth" -ne "$shown" ]; then printf '%s\n' "$line"; fi
        shown=$tenth
        ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}

mkdir -p "$folder"
rm -f "$folder/build.failed"
echo "build: $folder, $jobs jobs"
if ! cmake -S . -B "$folder" -G Ninja "$@" >"$folder/configure.log" 2>&1; then
  cat "$folder/configure.log" >&2
  exit 1
fi
# $target and $keep_going are empty or two words each.
# shellcheck disable=SC2086
build() {
  cmake --build "$folder" -j "$jobs" $target -- $keep_going 2>&1
}
if [ -t 1 ]; then
  build
else
  { build || echo "build: failed" >"$folder/build.failed"; } | progress
  if [ -e "$folder/build.failed" ]; then exit 1; fi
fi
