#!/bin/sh
# Compiles the consumer with nothing but what pkg-config says, and runs it.
#   pkg_config.sh cxx|c STAGE SCRATCH_FOLDER CXX CC
set -eu
language=$1
stage=$2
scratch=$3
here=$(cd "$(dirname "$0")" && pwd)
pc=$(find "$stage" -name quern.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
# The flags are meant to fall apart into words.
# shellcheck disable=SC2046
if [ "$language" = cxx ]; then
  "$4" -std=c++20 "$here/consumer/main.cc" -o "$scratch/pkg_config_cxx" $(pkg-config --cflags --libs quern)
  "$4" -std=c++20 "$here/consumer/main.cc" -o "$scratch/pkg_config_cxx" $(pkg-config --static --cflags --libs quern)
else
  "$5" -std=c99 -pedantic "$here/consumer/main.c" -o "$scratch/pkg_config_c" $(pkg-config --cflags --libs quern_c)
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir quern_c)
  export LD_LIBRARY_PATH
fi
"$scratch/pkg_config_$language"
