#!/bin/sh
# Writes the project todo into build/todo, builds it, edits it in the ways that matter and says what ran.
set -eu
cd "$(dirname "$0")"
command -v windrow >/dev/null || { echo "windrow is not on the path: make .venv/.ready, then PATH=.venv/bin:\$PATH" >&2; exit 1; }
rm -rf build
export WINDROW_CACHE_DIR="$PWD/build/cache"
python3 todo.py build/todo
cd build/todo

step() { printf '\n$ %s\n' "$1"; sh -c "$1"; }

step 'windrow test -q'
step 'windrow test -q'
step 'echo "More about it." >> README.md; windrow test -q'
step 'echo "# edited" >> src/todo/leaf05.py; windrow test --dry-run | grep -v ^skip'
step 'windrow test -q'
step 'echo "# edited" >> src/todo/mid03.py; windrow test -q'
step 'echo "# edited" >> src/todo/core2.py; windrow test -q'
step 'windrow why tests/test_leaf27.py'
step 'rm src/todo/leaf05.py; windrow test -q; echo "exit $?"'
