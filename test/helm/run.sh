#!/usr/bin/env bash
# Holds the chart against what clusters have, with Helm's own program: lint, and every object of every
# file of values/ against the schemas of Kubernetes, KEDA and the Prometheus operator, where unknown
# fields are mistakes. Builds what it needs with Go: ten minutes the first time.
#
#     test/helm/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. test/helm/programs.sh
helm_program
kubeconform_program
mkdir -p "$WORK/out"
SCHEMAS=$WORK/schemas-$KUBERNETES-$KEDA-$PROMETHEUS_OPERATOR
if [ ! -e "$SCHEMAS/.made" ]; then
  rm -rf "$SCHEMAS"
  # shellcheck disable=SC2046
  node test/helm/schemas.mjs "$SCHEMAS" "$(module "k8s.io/kubernetes@$KUBERNETES")/api/openapi-spec/swagger.json" $(crds)
  touch "$SCHEMAS/.made"
fi

conform() { kubeconform -strict -schema-location "$SCHEMAS/{{.ResourceKind}}{{.KindSuffix}}.json" "$@"; }
quiet() { "$@" 2>&1 | { grep -v 'found symbolic link' || true; }; }
passed=0
for values in test/helm/values/*.yaml; do
  name=$(basename "$values" .yaml)
  quiet helm lint --strict helm/halfsight -f "$values" > "$WORK/out/lint.txt" \
    && grep -q '0 chart(s) failed' "$WORK/out/lint.txt" || { cat "$WORK/out/lint.txt"; exit 1; }
  helm template halfsight helm/halfsight --namespace vision -f "$values" > "$WORK/out/$name.yaml" 2> "$WORK/out/error.txt" \
    || { cat "$WORK/out/error.txt"; exit 1; }
  conform "$WORK/out/$name.yaml"
  # What the tests in `npm test` compare with is what this program makes, too.
  node test/helm/same.ts "$WORK/out/$name.yaml" "$name"
  echo "  ok    $name: $(grep -c '^kind:' "$WORK/out/$name.yaml") objects"
  passed=$((passed + 1))
done

# A field that there is not, and a value of the wrong type, are found.
sed 's/readOnlyRootFilesystem/readOnlyRootFs/' "$WORK/out/keda.yaml" > "$WORK/out/unknown-field.yaml"
sed 's/pollingInterval: 15/pollingInterval: often/' "$WORK/out/keda.yaml" > "$WORK/out/wrong-type.yaml"
for bad in unknown-field wrong-type; do
  if conform "$WORK/out/$bad.yaml" > /dev/null; then echo "  FAIL  $bad was not found"; exit 1; fi
  echo "  ok    $bad is refused"
  passed=$((passed + 1))
done
helm package helm/halfsight --destination "$WORK/out" > /dev/null 2>&1
tar -xOzf "$WORK"/out/halfsight-*.tgz halfsight/files/alerts.yaml | cmp - infra/observability/alerts.yaml
echo "  ok    the package has the alerts in it"
echo "$((passed + 1)) passed"
