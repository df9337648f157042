#!/bin/sh
# Builds the consumer project from nothing against STAGE, and runs it.
#   find_package.sh cxx|c STAGE SCRATCH_FOLDER CMAKE CMAKE_OPTION...
set -eu
language=$1
stage=$2
folder=$3/find_package_$1
cmake=$4
here=$(cd "$(dirname "$0")" && pwd)
shift 4
rm -rf "$folder"
"$cmake" -S "$here/consumer" -B "$folder" "-DLANGUAGE=$language" "-DCMAKE_PREFIX_PATH=$stage" -DCMAKE_BUILD_TYPE=Release \
  -G Ninja "$@"
"$cmake" --build "$folder"
"$folder/consumer"
