#!/bin/sh
# The main job in one minute: build, edit a header, build again, ask why. Nothing outside a folder of its own is touched.
set -eu
home=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/windrow-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -R "$home/hello/." "$work"
cd "$work"
WINDROW_CACHE_DIR="$work/.cache"
export WINDROW_CACHE_DIR

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }

say windrow build
say ./build/hello
say windrow build
printf '\n(edit include/greet.h)\n'
sed 's/"hello"/"good morning"/' include/greet.h > include/greet.new && mv include/greet.new include/greet.h
say windrow plan
say windrow build
say ./build/hello
say windrow why build/hello
say windrow status
