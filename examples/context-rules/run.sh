#!/bin/sh
# Five context rules: compile them, change a word, compile what depends on it. In a folder of its own.
set -eu
home=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/windrow-rules.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp -R "$home/." "$work"
cd "$work"
rm -rf .windrow CLAUDE.md AGENTS.md .cursor .context/.build-manifest.json
WINDROW_CACHE_DIR="$work/.cache"
export WINDROW_CACHE_DIR

say() { printf '\n$ %s\n' "$*"; "$@"; }

say windrow build
say ls CLAUDE.md AGENTS.md .cursor/rules
printf '\n(change a word in .context/rules/backend/database.md)\n'
sed 's/one transaction/a single transaction/' .context/rules/backend/database.md > changed
mv changed .context/rules/backend/database.md
say windrow build --incremental
say windrow build --incremental
