#!/usr/bin/env bash
# Holds the chart against a real API server, without containers: etcd and kube-apiserver run on this machine, with
# no kubelet, so no pod ever starts. What is checked is listed in cluster/main.ts. Builds what it needs with Go:
# a quarter of an hour the first time, three minutes later on.
#
#     npm run chart:cluster
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. test/helm/programs.sh
helm_program
kubernetes_programs
# shellcheck disable=SC2046
exec node test/helm/cluster/main.ts "$WORK/cluster" $(crds)
