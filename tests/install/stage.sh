#!/bin/sh
# Installs BUILD_FOLDER, then moves the result to STAGE: what is installed must not know where it was put.
#   stage.sh CMAKE BUILD_FOLDER STAGE
set -eu
cmake=$1
build=$2
stage=$3
rm -rf "$stage" "$stage.first"
"$cmake" --install "$build" --prefix "$stage.first"
mv "$stage.first" "$stage"
if grep -rl "$build" "$stage" --include='*.cmake' --include='*.pc'; then
  echo "these installed files name the build folder" >&2
  exit 1
fi
