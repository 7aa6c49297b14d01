#!/bin/sh
# Optional: the contract of the schema registry on a server that is not ours, franz-go's srfake, which this script
# builds with Go (two minutes, once). `npm test` checks the same with one in memory, which is stricter: srfake calls
# every schema compatible.
#
#     test/srfake/run.sh
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root="$here/../.."
work="$root/.halfsight/srfake"
command -v go >/dev/null || { echo "go is missing: install Go 1.25 or newer" >&2; exit 1; }
mkdir -p "$work"
(cd "$here" && go build -o "$work/srfake" .)
"$work/srfake" >"$work/address" &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
while ! [ -s "$work/address" ]; do sleep 0.1; done
cd "$root"
SRFAKE_URL=$(cat "$work/address") node_modules/.bin/vitest run --config test/srfake/vitest.config.ts
