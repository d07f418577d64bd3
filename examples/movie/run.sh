#!/bin/sh
# A film from a blueprint: build, edit an input and an artefact, see what runs. In a folder of its own.
set -eu
home=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/windrow-movie.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -R "$home/." "$work"
cd "$work"
WINDROW_CACHE_DIR="$work/.cache"
export WINDROW_CACHE_DIR

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }

say windrow build --quiet
say windrow status
say windrow plan --edit Input:VoiceId=stern
say windrow build --quiet --diff --edit Input:VoiceId=stern
printf '\n(write movie/Narration/segment-1.txt by hand)\n'
echo 'The moon pulls at the sea.' > movie/Narration/segment-1.txt
say windrow plan
say windrow build --diff --quiet
say windrow status
