{{- /* How a process reaches Kafka, Redis and the rest. All take root, and userSecret: of a Kafka user of its own. */ -}}

{{- define "halfsight.userSecret" -}}
{{- if .root.Values.kafka.sasl.mechanism }}{{ default .root.Values.kafka.sasl.existingSecret .userSecret }}{{ end -}}
{{- end }}

{{- define "halfsight.kafkaEnv" -}}
{{- $kafka := .root.Values.kafka -}}
- name: KAFKA_BROKERS
  value: {{ join "," $kafka.brokers | quote }}
- name: KAFKA_TOPIC_PREFIX
  value: {{ $kafka.topicPrefix | quote }}
- name: KAFKA_GROUP_ID
  value: {{ default $kafka.groupId .groupId | quote }}
- name: KAFKA_PARTITIONS
  value: {{ $kafka.partitions | quote }}
- name: KAFKA_REPLICATION_FACTOR
  value: {{ $kafka.replicationFactor | quote }}
{{- if $kafka.tls.enabled }}
- name: KAFKA_TLS
  value: 'true'
{{- if $kafka.tls.existingSecret }}
- name: KAFKA_TLS_CA_FILE
  value: /run/halfsight/kafka-ca/{{ $kafka.tls.caKey }}
{{- end }}
{{- if $kafka.tls.clientSecret }}
- name: KAFKA_TLS_CERT_FILE
  value: /run/halfsight/kafka-client/tls.crt
- name: KAFKA_TLS_KEY_FILE
  value: /run/halfsight/kafka-client/tls.key
{{- end }}
{{- end }}
{{- with include "halfsight.userSecret" . }}
- name: KAFKA_SASL_MECHANISM
  value: {{ $kafka.sasl.mechanism }}
- name: KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $kafka.sasl.usernameKey }}
- name: KAFKA_SASL_PASSWORD_FILE
  value: /run/halfsight/kafka-user/{{ $kafka.sasl.passwordKey }}
{{- end }}
{{- with .root.Values.schemaRegistry }}
{{- if .url }}
- name: SCHEMA_REGISTRY_URL
  value: {{ .url | quote }}
{{- if .existingSecret }}
- name: SCHEMA_REGISTRY_PASSWORD_FILE
  value: /run/halfsight/registry/{{ .passwordKey }}
{{- end }}
{{- if .tokenSecret }}
- name: SCHEMA_REGISTRY_TOKEN_FILE
  value: /run/halfsight/registry-token/{{ .tokenKey }}
{{- end }}
{{- if .caSecret }}
- name: SCHEMA_REGISTRY_TLS_CA_FILE
  value: /run/halfsight/registry-ca/{{ .caKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "halfsight.redisEnv" -}}
{{- with .root.Values.redis -}}
- name: REDIS_URL
  value: {{ .url | quote }}
{{- if .existingSecret }}
- name: REDIS_PASSWORD_FILE
  value: /run/halfsight/redis/{{ .passwordKey }}
{{- end }}
{{- if .caSecret }}
- name: REDIS_TLS_CA_FILE
  value: /run/halfsight/redis-ca/{{ .caKey }}
{{- end }}
{{- end }}
{{- end }}

{{- define "halfsight.observeEnv" -}}
- name: HALFSIGHT_HEALTH_LISTEN
  value: {{ include "halfsight.listen" (dict "host" .root.Values.health.host "port" .root.Values.health.port) | quote }}
- name: HALFSIGHT_LOG_LEVEL
  value: {{ .root.Values.logs.level }}
{{- with .root.Values.telemetry }}
{{- if .otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .otlpEndpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .otlpProtocol }}
{{- end }}
{{- end }}
{{- end }}

{{- define "halfsight.listen" -}}
{{- if contains ":" .host }}[{{ .host }}]{{ else }}{{ .host }}{{ end }}:{{ .port }}
{{- end }}

{{- /* Secrets of the above, as [{name, secret}], in the folders /run/halfsight/NAME; takes withRedis too. */ -}}
{{- define "halfsight.secrets" -}}
{{- $values := .root.Values -}}
{{- $kafka := $values.kafka -}}
{{- $found := list -}}
{{- if and $kafka.tls.enabled $kafka.tls.existingSecret -}}
{{- $found = append $found (dict "name" "kafka-ca" "secret" $kafka.tls.existingSecret) -}}
{{- end -}}
{{- if and $kafka.tls.enabled $kafka.tls.clientSecret -}}
{{- $found = append $found (dict "name" "kafka-client" "secret" $kafka.tls.clientSecret) -}}
{{- end -}}
{{- with include "halfsight.userSecret" . -}}
{{- $found = append $found (dict "name" "kafka-user" "secret" .) -}}
{{- end -}}
{{- range $name, $secret := dict "registry" "existingSecret" "registry-token" "tokenSecret" "registry-ca" "caSecret" -}}
{{- with get $values.schemaRegistry $secret -}}
{{- $found = append $found (dict "name" $name "secret" .) -}}
{{- end -}}
{{- end -}}
{{- if and .withRedis $values.redis.existingSecret -}}
{{- $found = append $found (dict "name" "redis" "secret" $values.redis.existingSecret) -}}
{{- end -}}
{{- if and .withRedis $values.redis.caSecret -}}
{{- $found = append $found (dict "name" "redis-ca" "secret" $values.redis.caSecret) -}}
{{- end -}}
{{- range .more -}}
{{- $found = append $found . -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}
