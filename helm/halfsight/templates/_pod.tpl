{{- /*
The pod of a process. Takes
  root, component, group (of inference, of bridges)
  target     image
  settings   of the component, see halfsight.settings
  args       of the process
  env        variables that are its own, as YAML
  withRedis  whether it speaks to Redis
  groupId    of its Kafka group, where it is not kafka.groupId
  secrets    [{name, secret}] that it reads, beside those of connections
  volumes, mounts   that are its own, as YAML
  ports      [{name, port}] beside health
  serves     whether a Service leads to it: then it goes on answering for 5 s after its end was told
  startupPath, startupSeconds   when it has started, and by when it must have
*/ -}}
{{- define "halfsight.pod" -}}
{{- $root := .root -}}
{{- $settings := .settings -}}
{{- $more := default list .secrets -}}
{{- $secretsOf := dict "root" $root "userSecret" $settings.kafkaUserSecret "withRedis" .withRedis "more" $more -}}
{{- $secrets := include "halfsight.secrets" $secretsOf | fromYamlArray -}}
{{- $selector := include "halfsight.selector" . | fromYaml -}}
metadata:
  labels:
    {{- include "halfsight.podLabels" . | nindent 4 }}
    {{- with $settings.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ .component }}
    {{- with .checksum }}
    checksum/config: {{ . }}
    {{- end }}
    {{- with $settings.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with $settings.serviceAccountName }}
  serviceAccountName: {{ . }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .runtimeClassName | default $settings.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $settings.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $settings.terminationGracePeriodSeconds }}
  securityContext: {{- include "halfsight.podSecurity" . | nindent 4 }}
  containers:
    - name: {{ .component }}
      image: {{ include "halfsight.image" . }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- with .args }}
      args: {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        {{- include "halfsight.kafkaEnv" (dict "root" $root "userSecret" $settings.kafkaUserSecret "groupId" .groupId) | nindent 8 }}
        {{- if .withRedis }}
        {{- include "halfsight.redisEnv" . | nindent 8 }}
        {{- end }}
        {{- include "halfsight.observeEnv" . | nindent 8 }}
        {{- if $root.Values.bundle.existingClaim }}
        - name: HALFSIGHT_BUNDLE
          value: /bundle
        {{- end }}
        {{- with .env }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $settings.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .envSecrets }}
      envFrom:
        {{- range . }}
        - secretRef:
            name: {{ . }}
        {{- end }}
      {{- end }}
      ports:
        - name: health
          containerPort: {{ $root.Values.health.port }}
        {{- range .ports }}
        - name: {{ .name }}
          containerPort: {{ .port }}
        {{- end }}
      startupProbe:
        httpGet: {path: {{ .startupPath | default "/startup" }}, port: health}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: {{ div (add .startupSeconds 4) 5 }}
      livenessProbe:
        httpGet: {path: /live, port: health}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /ready, port: health}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- if .serves }}
      lifecycle:
        preStop:
          sleep: {seconds: 5}
      {{- end }}
      resources: {{- toYaml (default $settings.resources .resources) | nindent 8 }}
      securityContext: {{- include "halfsight.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- range $secrets }}
        - name: {{ .name }}
          mountPath: /run/halfsight/{{ .name }}
          readOnly: true
        {{- end }}
        {{- with $root.Values.bundle }}
        {{- if .existingClaim }}
        - name: bundle
          mountPath: /bundle
          readOnly: true
          {{- with .subPath }}
          subPath: {{ . }}
          {{- end }}
        {{- end }}
        {{- end }}
        {{- with .mounts }}
        {{- . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 256Mi}
    {{- range $secrets }}
    - name: {{ .name }}
      secret:
        secretName: {{ .secret }}
        defaultMode: 0440
    {{- end }}
    {{- with $root.Values.bundle.existingClaim }}
    - name: bundle
      persistentVolumeClaim:
        claimName: {{ . }}
        readOnly: true
    {{- end }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
  {{- with $settings.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $settings.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with concat $settings.tolerations (default list .tolerations) }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range $settings.topologySpreadConstraints }}
    {{- $own := dict "labelSelector" (dict "matchLabels" $selector) }}
    {{- toYaml (list (hasKey . "labelSelector" | ternary . (merge $own .))) | nindent 4 }}
    {{- else }}
    {{- include "halfsight.spread" . | nindent 4 }}
    {{- end }}
{{- end }}

{{- /* The restricted profile of Pod Security Standards. */ -}}
{{- define "halfsight.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "halfsight.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
