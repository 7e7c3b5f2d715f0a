{{- define "peal.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "peal.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "peal.labels" -}}
app.kubernetes.io/name: peal
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Of one component: (dict "root" $ "component" "gateway") */}}
{{- define "peal.selector" -}}
app.kubernetes.io/name: peal
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* A value as TOML has it; numbers of YAML are floats, and never mean one here. */}}
{{- define "peal.toml" -}}
{{- if kindIs "string" . }}{{ . | quote }}
{{- else if kindIs "bool" . }}{{ . }}
{{- else if kindIs "slice" . }}[{{ range $i, $each := . }}{{ if $i }}, {{ end }}{{ $each | quote }}{{ end }}]
{{- else }}{{ int64 . }}
{{- end }}
{{- end }}

{{/* [[channels]]; brokers only know what concerns the log: (dict "root" $ "broker" true) */}}
{{- define "peal.channels" -}}
{{- $log := list "pattern" "recoverable" "history_length_max" "history_bytes_max" "history_age_max" "compact" "file" "presence" "occupancy" }}
{{- $broker := .broker }}
{{- range .root.Values.channels }}
[[channels]]
{{- range $key, $value := . }}
{{- if or (not $broker) (has $key $log) }}
{{ $key }} = {{ include "peal.toml" $value }}
{{- end }}
{{- end }}
{{ end }}
{{- end }}

{{- define "peal.limits" -}}
{{- if .Values.limits }}
[limits]
{{- range $key, $value := .Values.limits }}
{{ $key }} = {{ include "peal.toml" $value }}
{{- end }}
{{ end }}
{{- end }}

{{- define "peal.redis" -}}
[redis]
mode = {{ .Values.bus.redis.mode | quote }}
addresses = {{ include "peal.toml" .Values.bus.redis.addresses }}
tls = {{ .Values.bus.redis.tls }}
{{ end }}

{{- define "peal.brokers" -}}
{{- $root := . }}
{{- $all := list }}
{{- range $i := until (int .Values.broker.replicas) }}
{{- $pod := printf "%s-broker-%d" (include "peal.name" $root) $i }}
{{- $endpoint := printf "tcp://%s.%s-broker.%s.svc:8422" $pod (include "peal.name" $root) $root.Release.Namespace }}
{{- $all = append $all (gt (int $root.Values.broker.replicas) 1 | ternary (printf "%s=%s" $pod $endpoint) $endpoint) }}
{{- end }}
{{- include "peal.toml" $all }}
{{- end }}

{{- define "peal.gateway.toml" -}}
listen = "0.0.0.0:8420"
internal_listen = "0.0.0.0:8421"
shards = {{ int .Values.gateway.shards }}
drain_delay = "{{ int .Values.gateway.drainDelaySeconds }}s"
drain_time = "{{ int .Values.gateway.drainSeconds }}s"
drain_share_max = {{ int .Values.gateway.drainSharePercent }}
rebalance_interval = "{{ int .Values.gateway.rebalanceSeconds }}s"
allowed_hosts = {{ include "peal.toml" (include "peal.hosts" . | fromYamlArray) }}
allowed_origins = {{ include "peal.toml" .Values.gateway.allowedOrigins }}
trusted_proxies = {{ include "peal.toml" .Values.gateway.trustedProxies }}
proxy_header = {{ .Values.gateway.proxyHeader | quote }}
control = "ipc:///run/peal/gateway.control"
ingest = "off"
insecure = {{ .Values.bus.insecure }}

[log]
level = {{ .Values.log.level | quote }}
format = {{ .Values.log.format | quote }}
{{ if .Values.gateway.tls.existingSecret }}
[tls]
certificate = "/etc/peal/tls/tls.crt"
key = "/etc/peal/tls/tls.key"
{{ end }}
[bus]
driver = {{ .Values.bus.driver | quote }}
cluster = {{ include "peal.name" . | quote }}
{{- if eq .Values.bus.driver "zmq" }}
connect = {{ include "peal.brokers" . }}
{{ else }}
{{ include "peal.redis" . }}
{{- end }}
{{ include "peal.limits" . }}
{{- include "peal.channels" (dict "root" . "broker" false) }}
{{- end }}

{{/* Names that clients use; the Service's own, for `helm test`, only where there are others. */}}
{{- define "peal.hosts" -}}
{{- $hosts := concat .Values.gateway.allowedHosts .Values.httpRoute.hostnames }}
{{- if and .Values.ingress.enabled .Values.ingress.host }}{{ $hosts = append $hosts .Values.ingress.host }}{{ end }}
{{- append $hosts (printf "%s-gateway" (include "peal.name" .)) | uniq | toYaml }}
{{- end }}

{{- define "peal.broker.toml" -}}
internal_listen = "0.0.0.0:8423"
drain_time = "{{ int .Values.broker.drainSeconds }}s"
control = "ipc:///run/peal/broker.control"
ingest = "off"
insecure = {{ .Values.bus.insecure }}

[log]
level = {{ .Values.log.level | quote }}
format = {{ .Values.log.format | quote }}

[bus]
listen = "tcp://0.0.0.0:8422"
cluster = {{ include "peal.name" . | quote }}
{{- if gt (int .Values.broker.replicas) 1 }}
members = {{ include "peal.brokers" . }}
{{- end }}

[store]
driver = {{ .Values.broker.store | quote }}
path = "/var/lib/peal/logs"

{{ include "peal.limits" . }}
{{- include "peal.channels" (dict "root" . "broker" true) }}
{{- end }}

{{- define "peal.env.curve" -}}
{{- $secret := .root.Values.bus.curve.existingSecret }}
{{- if and $secret (eq .root.Values.bus.driver "zmq") }}
- name: PEAL_CURVE_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .own }}-secret-key}}
{{- if eq .own "gateway" }}
- name: PEAL_CURVE_SERVER_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: broker-public-key}}
{{- else if gt (int .root.Values.broker.replicas) 1 }}
- name: PEAL_CURVE_SERVER_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: broker-public-key}}
- name: GATEWAY_PUBLIC_KEY
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: gateway-public-key}}
- name: PEAL_CURVE_ALLOWED_KEYS
  value: $(GATEWAY_PUBLIC_KEY),$(PEAL_CURVE_SERVER_KEY)
{{- else }}
- name: PEAL_CURVE_ALLOWED_KEYS
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: gateway-public-key}}
{{- end }}
{{- end }}
{{- end }}

{{- define "peal.env.name" -}}
- name: PEAL_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}

{{/* What every pod of the chart may do: nothing that it doesn't need. */}}
{{- define "peal.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false      # they would be PEAL_... variables
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "peal.container" -}}
image: {{ include "peal.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "peal.spread" -}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "peal.selector" . | nindent 14 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "peal.selector" . | nindent 8 }}
{{- end }}

{{- define "peal.probes" -}}
# Alive as soon as it runs, also while a broker reads its store; ready when it may take traffic.
startupProbe:
  httpGet: {path: /healthz, port: internal}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: internal}
  periodSeconds: 2
  failureThreshold: 1
livenessProbe:
  httpGet: {path: /healthz, port: internal}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
{{- end }}

{{/* What schemas can't say. */}}
{{- define "peal.check" -}}
{{- if eq .Values.bus.driver "zmq" }}
{{- if not (or .Values.bus.curve.existingSecret .Values.bus.insecure) }}
{{- fail "bus.curve.existingSecret: name a Secret with CURVE keys (peal keygen), or say bus.insecure: true" }}
{{- end }}
{{- else if not .Values.bus.redis.addresses }}
{{- fail "bus.redis.addresses: bus.driver redis needs the addresses of a Redis" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "ingress.host: an Ingress needs the name that clients use" }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs: a route needs the Gateway that it belongs to" }}
{{- end }}
{{- if gt (int .Values.gateway.autoscaling.minReplicas) (int .Values.gateway.autoscaling.maxReplicas) }}
{{- fail "gateway.autoscaling.minReplicas: more than maxReplicas" }}
{{- end }}
{{- if lt (mul (int .Values.gateway.drainSeconds) (int .Values.gateway.drainSharePercent)) 115 }}
{{- fail "gateway.drainSeconds: too short to close all sessions at gateway.drainSharePercent a second" }}
{{- end }}
{{- range $name, $monitor := .Values.monitors }}
{{- if and $monitor.enabled (not $monitor.config) }}
{{- fail (printf "monitors.%s.config: a monitor needs its configuration" $name) }}
{{- end }}
{{- if and $monitor.enabled (ne $.Values.bus.driver "zmq") }}
{{- fail (printf "monitors.%s.enabled: monitors publish through brokers, so bus.driver has to be zmq" $name) }}
{{- end }}
{{- end }}
{{- end }}
