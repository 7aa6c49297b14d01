#!/bin/sh
# Reads a topic with a reader that is not ours, in a Python environment that this script makes:
#
#     test/independent-reader/run.sh 127.0.0.1:9092 halfsight.result.detection.v1 [COUNT]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv="$here/../../.halfsight/independent-reader"
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  echo "installing $(tr '\n' ' ' <"$here/requirements.txt")..." >&2
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
exec "$venv/bin/python" "$here/read_results.py" "$@"
