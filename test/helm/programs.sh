# Sourced by run.sh and cluster.sh from the root of the repository: programs of Kubernetes and Helm, built with Go
# into .halfsight/go, in folders named after their versions.
HELM=v4.3.1
KUBECONFORM=v0.8.0
KUBERNETES=v1.36.3
KEDA=v2.21.0
PROMETHEUS_OPERATOR=v0.85.0

command -v go > /dev/null || { echo "Go is missing: it builds Helm and Kubernetes." >&2; exit 2; }
ROOT=$PWD
WORK=$ROOT/.halfsight/go
mkdir -p "$WORK"
export GOPATH=$WORK/path GOFLAGS=-modcacherw PATH="$ROOT/node_modules/.bin:$PATH"

# Puts a program that `go install` makes before all others: NAME VERSION PACKAGE.
program() {
  local folder=$WORK/$1-$2
  [ -x "$folder/$1" ] || { echo "building $1 $2 ..."; GOBIN=$folder go install "$3@$2"; }
  PATH=$folder:$PATH
}
helm_program() { program helm "$HELM" helm.sh/helm/v4/cmd/helm; }
kubeconform_program() { program kubeconform "$KUBECONFORM" github.com/yannh/kubeconform/cmd/kubeconform; }

# etcd, kube-apiserver and kubectl. Kubernetes' own go.mod takes its libraries from beside it, which `go install`
# refuses: here they are the published ones.
kubernetes_programs() {
  local folder=$WORK/kubernetes-$KUBERNETES
  if [ ! -e "$folder/.made" ]; then
    echo "building Kubernetes $KUBERNETES (ten minutes) ..."
    rm -rf "$folder"
    mkdir -p "$folder"
    local source; source=$(module "k8s.io/kubernetes@$KUBERNETES")
    (
      cd "$folder"
      {
        printf 'module cluster\n\n%s\n\nrequire k8s.io/kubernetes %s\n\n' "$(grep '^go ' "$source/go.mod")" "$KUBERNETES"
        sed -n "s#^\t\(k8s.io/[^ ]*\) => ./staging/.*#replace \1 => \1 v0.${KUBERNETES#v1.}#p" "$source/go.mod"
      } > go.mod
      # Helm asks the server for its version.
      local minor=${KUBERNETES#v1.}
      local stamp=k8s.io/component-base/version
      go build -mod=mod -o . \
        -ldflags "-s -w -X $stamp.gitVersion=$KUBERNETES -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" \
        k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
      go build -mod=mod -o etcd -ldflags '-s -w' go.etcd.io/etcd/server/v3
    )
    touch "$folder/.made"
  fi
  PATH=$folder:$PATH
}

# Where Go unpacks a module.
module() {
  (cd "$WORK" && { [ -e go.mod ] || go mod init schemas > /dev/null 2>&1; } && go mod download -json "$1") \
    | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

# Files of the CRDs that the chart has objects of.
crds() {
  local keda operator
  keda=$(module "github.com/kedacore/keda/v2@$KEDA")
  operator=$(module "github.com/prometheus-operator/prometheus-operator@$PROMETHEUS_OPERATOR")
  echo "$keda"/config/crd/bases/keda.sh_{scaledobjects,triggerauthentications}.yaml
  echo "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml
}
