{{- define "halfsight.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- /* Short enough for what components and groups add. */ -}}
{{- define "halfsight.fullname" -}}
{{- $name := include "halfsight.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- /* Takes root and component; what pods of it are selected by, so never changed. */ -}}
{{- define "halfsight.selector" -}}
app.kubernetes.io/name: {{ include "halfsight.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .group }}
halfsight/group: {{ . }}
{{- end }}
{{- end }}

{{- /* Without the chart's version: where it alone is another, no pod is restarted. */ -}}
{{- define "halfsight.podLabels" -}}
{{ include "halfsight.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | replace "+" "_" | quote }}
{{- end }}

{{- define "halfsight.labels" -}}
{{ include "halfsight.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: halfsight
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Takes root and target: the name of an image. */ -}}
{{- define "halfsight.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := printf "%s/halfsight-%s" (trimSuffix "/" $image.registry) .target -}}
{{- with get $image.digests .target -}}
{{- printf "%s@%s" $name . -}}
{{- else -}}
{{- printf "%s:%s" $name (default $.root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end }}

{{- /* Settings of a component over those of all: maps are merged, all else is its own. */ -}}
{{- define "halfsight.settings" -}}
{{- $own := omit .settings "groups" "autoscaling" -}}
{{- mergeOverwrite (deepCopy .root.Values.common) (deepCopy $own) | toYaml -}}
{{- end }}

{{- /* Most replicas that have work, of a group. */ -}}
{{- define "halfsight.maxReplicas" -}}
{{- $most := int .root.Values.kafka.partitions -}}
{{- $given := int .settings.autoscaling.maxReplicas -}}
{{- if gt $given 0 }}{{ $given }}{{ else }}{{ $most }}{{ end -}}
{{- end }}

{{- /* Takes the settings of inference or of bridges: its groups with what all have, as YAML of {name: settings}. */ -}}
{{- define "halfsight.groups" -}}
{{- $component := . -}}
{{- $all := dict -}}
{{- range $name, $group := $component.groups -}}
{{- if not (kindIs "invalid" $group) -}}
{{- $_ := set $all $name (mergeOverwrite (deepCopy (omit $component "groups" "enabled")) (deepCopy $group)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{- /* Takes root and name. */ -}}
{{- define "halfsight.groupId" -}}
{{- $id := .root.Values.kafka.groupId -}}
{{- if eq .name "default" }}{{ $id }}{{ else }}{{ printf "%s-%s" $id .name }}{{ end -}}
{{- end }}

{{- define "halfsight.spread" -}}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "halfsight.selector" . | nindent 6 }}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "halfsight.selector" . | nindent 6 }}
{{- end }}
