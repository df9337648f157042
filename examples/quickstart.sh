#!/bin/sh
# From a fresh Debian 12 to an answer: installs what is missing, builds the release, asks the demo model.
#
#   sh examples/quickstart.sh ["your question"]
#
# Safe to repeat: what is installed and built already is kept.
set -eu
cd "$(dirname "$0")/.."
question=${1:-"What is a quern?"}

sh cmake/setup_debian.sh build
sh cmake/build.sh build/release -DCMAKE_BUILD_TYPE=Release

echo
echo "\$ build/release/examples/cli/quern run demo -p \"$question\" -n 64 --temp 0"
build/release/examples/cli/quern run demo -p "$question" -n 64 --temp 0
