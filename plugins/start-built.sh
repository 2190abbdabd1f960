#!/bin/sh
# Starts what was built, dist/main.js, with the Node of the checkout it lies in, or else with the one on PATH. Programs that
# come with OpenTalon are links to this file, each beside its own dist. Replaces itself by Node, so that signals and the end
# of the process mean the program.

self=$0
while here=${self%/*} && [ "$here" != "$self" ] || here=.; do
  if [ -f "$here/dist/main.js" ] || [ ! -L "$self" ]; then break; fi
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=$here/$target ;;
  esac
done
here=$(CDPATH='' cd -P -- "$here" && pwd -P)

folder=$here
while :; do
  if [ -x "$folder/node_modules/.bin/node" ]; then
    exec "$folder/node_modules/.bin/node" "$here/dist/main.js"
  fi
  [ -n "$folder" ] || break
  folder=${folder%/*}
done
exec node "$here/dist/main.js"
