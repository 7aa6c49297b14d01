#!/bin/sh
# Optional: the trace of a frame in a real OpenTelemetry Collector, which this script builds with Go (some
# minutes, once). `npm test` checks the same with a sink in the test process.
#
#     test/otel-collector/run.sh
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root="$here/../.."
work="$root/.halfsight/otel-collector"
command -v go >/dev/null || { echo "go is missing: install Go 1.25 or newer" >&2; exit 1; }
mkdir -p "$work"
cp "$here/builder.yaml" "$work/"
if ! [ -x "$work/build/otelcol" ]; then
  echo "building the collector ..." >&2
  GOBIN="$work" go install go.opentelemetry.io/collector/cmd/builder@v0.158.0
  (cd "$work" && ./builder --config builder.yaml)
fi
OTLP_PORT=${OTLP_PORT:-14318} "$work/build/otelcol" --config "$here/collector.yaml" >"$work/log" 2>&1 &
collector=$!
trap 'kill $collector 2>/dev/null || true' EXIT
cd "$root"
export OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:${OTLP_PORT:-14318}"
export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none
npm start -- --duration 25 --cameras 2 </dev/null &
pipeline=$!
sleep 15
npm run follow -- detection --duration 10
wait $pipeline
kill $collector
wait $collector || true
trap - EXIT
exec node_modules/.bin/node "$here/check-log.ts" "$work/log"
