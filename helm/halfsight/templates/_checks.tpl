{{- /*
What the schema cannot say: values that contradict one another. All mistakes are told at once, each with
what to do.
*/ -}}
{{- define "halfsight.checks" -}}
{{- $values := .Values -}}
{{- $kafka := $values.kafka -}}
{{- $wrong := list -}}
{{- if not $values.image.registry -}}
{{- $wrong = append $wrong "image.registry is empty: say where the images are, as registry.example.com/vision (infra/images/README.md builds them)." -}}
{{- end -}}
{{- if not $kafka.brokers -}}
{{- $wrong = append $wrong "kafka.brokers is empty: name host:port of a broker or two. This chart brings no Kafka." -}}
{{- end -}}
{{- range $kafka.brokers -}}
{{- if not (regexMatch "^[^:/[:space:],]+:[0-9]{1,5}$" .) -}}
{{- $wrong = append $wrong (printf "kafka.brokers has %q, which is not host:port." .) -}}
{{- end -}}
{{- end -}}
{{- if eq $values.image.tag "latest" -}}
{{- $wrong = append $wrong "image.tag is latest, which is another image tomorrow: name a version, or digests." -}}
{{- end -}}
{{- range list "redis" "schemaRegistry" -}}
{{- $own := get $values . -}}
{{- $schemes := ternary "rediss?" "https?" (eq . "redis") -}}
{{- if regexMatch "//[^/@]*:[^/@]*@" $own.url -}}
{{- $wrong = append $wrong (printf "%s.url holds a password: make a Secret with it, and name it in %s.existingSecret." . .) -}}
{{- else if and $own.url (not (regexMatch (printf "^%s://[^/[:space:]]+" $schemes) $own.url)) -}}
{{- $wrong = append $wrong (printf "%s.url is %q: write %s://host:port." . $own.url (ternary "redis" "https" (eq . "redis"))) -}}
{{- end -}}
{{- end -}}
{{- $registry := $values.schemaRegistry -}}
{{- $isNamed := regexMatch "//[^/]+@" $registry.url -}}
{{- if and (not $registry.url) (or $registry.existingSecret $registry.tokenSecret $registry.caSecret) -}}
{{- $wrong = append $wrong "schemaRegistry names a Secret, but schemaRegistry.url is empty: write https://host:port, or leave the Secret out." -}}
{{- else if and $registry.existingSecret (not $isNamed) -}}
{{- $wrong = append $wrong "schemaRegistry.existingSecret has a password, but schemaRegistry.url has no user: write https://user@host:port." -}}
{{- end -}}
{{- if and $registry.tokenSecret (or $isNamed $registry.existingSecret) -}}
{{- $wrong = append $wrong "schemaRegistry.tokenSecret is given, and so is a user or a password: keep one." -}}
{{- end -}}
{{- if and $registry.url $registry.caSecret (not (hasPrefix "https://" $registry.url)) -}}
{{- $wrong = append $wrong "schemaRegistry.caSecret is given, but schemaRegistry.url is without TLS: write https://." -}}
{{- end -}}
{{- if and $kafka.sasl.existingSecret (not $kafka.sasl.mechanism) -}}
{{- $wrong = append $wrong "kafka.sasl.existingSecret is given without kafka.sasl.mechanism: say plain, scram-sha-256 or scram-sha-512." -}}
{{- end -}}
{{- if and (not $kafka.tls.enabled) (or $kafka.tls.existingSecret $kafka.tls.clientSecret) -}}
{{- $wrong = append $wrong "kafka.tls names a Secret, but kafka.tls.enabled is false: set it to true, or leave the Secret out." -}}
{{- end -}}
{{- if and $values.redis.caSecret (not (hasPrefix "rediss://" $values.redis.url)) -}}
{{- $wrong = append $wrong "redis.caSecret is given, but redis.url is without TLS: write rediss://." -}}
{{- end -}}
{{- $components := list (dict "name" "topics" "on" $values.topics.enabled "user" $values.topics.kafkaUserSecret) -}}
{{- range list "agent" "inference" "wall" "jobs" "webhooks" "control" -}}
{{- $component := get $values . -}}
{{- $components = append $components (dict "name" . "on" $component.enabled "user" $component.kafkaUserSecret) -}}
{{- end -}}
{{- range $name, $bridge := include "halfsight.groups" $values.bridges | fromYaml -}}
{{- $components = append $components (dict "name" (printf "bridges.groups.%s" $name) "on" $values.bridges.enabled "user" $bridge.kafkaUserSecret) -}}
{{- end -}}
{{- range $components -}}
{{- if and .on $kafka.sasl.mechanism (not $kafka.sasl.existingSecret) (not .user) -}}
{{- $wrong = append $wrong (printf "kafka.sasl.mechanism is %s, but %s has no user: name a Secret in %s.kafkaUserSecret or kafka.sasl.existingSecret." $kafka.sasl.mechanism .name .name) -}}
{{- end -}}
{{- if and .on .user (not $kafka.sasl.mechanism) -}}
{{- $wrong = append $wrong (printf "%s.kafkaUserSecret is given without kafka.sasl.mechanism: say plain, scram-sha-256 or scram-sha-512." .name) -}}
{{- end -}}
{{- end -}}
{{- $fleet := and $values.agent.enabled (hasKey $values.agent.config "fleet") -}}
{{- range list (dict "name" "agent.config.fleet" "on" $fleet) (dict "name" "jobs" "on" $values.jobs.enabled) (dict "name" "webhooks" "on" $values.webhooks.enabled) (dict "name" "control" "on" $values.control.enabled) -}}
{{- if and .on (not $values.redis.url) -}}
{{- $wrong = append $wrong (printf "%s needs Redis: set redis.url=redis://host:6379, or rediss:// for TLS." .name) -}}
{{- end -}}
{{- end -}}
{{- if $values.acls.enabled -}}
{{- if not $values.acls.kafkaUserSecret -}}
{{- $wrong = append $wrong "acls.enabled needs acls.kafkaUserSecret: a Secret with a user who may alter ACLs." -}}
{{- end -}}
{{- if not $values.acls.users -}}
{{- $wrong = append $wrong "acls.enabled needs acls.users: say which user has which role, as {inference: [brain]}." -}}
{{- end -}}
{{- end -}}
{{- range list "wall" "control" -}}
{{- $component := get $values . -}}
{{- if and $component.enabled (not $component.tokenSecret) -}}
{{- $wrong = append $wrong (printf "%s.tokenSecret is empty: make a Secret (kubectl create secret generic halfsight-%s --from-literal=token=$(openssl rand -hex 32)) and name it, or set %s.enabled=false." . . .) -}}
{{- end -}}
{{- end -}}
{{- if and $values.wall.ingress.enabled (not $values.wall.ingress.host) -}}
{{- $wrong = append $wrong "wall.ingress.host is empty: an Ingress without a host would take every host's requests." -}}
{{- end -}}
{{- if $values.agent.enabled -}}
{{- $config := $values.agent.config -}}
{{- if not (or (hasKey $config "fleet") (hasKey $config "cameras")) -}}
{{- $wrong = append $wrong "agent.config has neither fleet nor cameras: {fleet: {framesPerSecondMax: 40}} shares the cameras of the registry out." -}}
{{- end -}}
{{- if and (hasKey $config "cameras") (gt (int $values.agent.replicas) 1) -}}
{{- $wrong = append $wrong (printf "agent.replicas is %d, but every agent would publish all of agent.config.cameras: set it to 1, or let a fleet share cameras out (agent.config.fleet)." (int $values.agent.replicas)) -}}
{{- end -}}
{{- range list "kafka" "topics" "spool" -}}
{{- if hasKey $config . -}}
{{- $wrong = append $wrong (printf "agent.config.%s is set by this chart: leave it out (kafka.brokers, kafka.topicPrefix and agent.spool say it)." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.webhooks.enabled (not $values.webhooks.hooks) -}}
{{- $wrong = append $wrong "webhooks.hooks is empty: list at least one, or set webhooks.enabled=false." -}}
{{- end -}}
{{- if and $values.webhooks.enabled $values.webhooks.hooks (not $values.webhooks.existingSecret) -}}
{{- $wrong = append $wrong "webhooks.existingSecret is empty: name the Secret that has the files which secretFile of each hook names." -}}
{{- end -}}
{{- if $values.inference.enabled -}}
{{- $wrong = concat $wrong (include "halfsight.groupChecks" . | fromYamlArray) -}}
{{- end -}}
{{- if $values.bridges.enabled -}}
{{- $wrong = concat $wrong (include "halfsight.bridgeChecks" . | fromYamlArray) -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "these values cannot be used:\n  - %s" (join "\n  - " $wrong)) -}}
{{- end -}}
{{- end }}

{{- /* Of the groups of inference, as a list. */ -}}
{{- define "halfsight.groupChecks" -}}
{{- $root := . -}}
{{- $partitions := int .Values.kafka.partitions -}}
{{- $wrong := list -}}
{{- $groups := include "halfsight.groups" .Values.inference | fromYaml -}}
{{- if not $groups -}}
{{- $wrong = append $wrong "inference.groups is empty: leave `default` in it, or name others, or set inference.enabled=false." -}}
{{- end -}}
{{- $owner := dict -}}
{{- range $name := keys $groups | sortAlpha -}}
{{- $group := get $groups $name -}}
{{- $heads := default (list "all heads") $group.heads -}}
{{- range $head := $heads -}}
{{- range $other, $theirs := $owner -}}
{{- if or (has $head $theirs) (has "all heads" $theirs) (eq $head "all heads") -}}
{{- $wrong = append $wrong (printf "inference.groups.%s and inference.groups.%s both run %s: each head in one group only, or its results are published twice. To have no `default`, say default: null." $other $name $head) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $owner $name $heads -}}
{{- $scaling := $group.autoscaling -}}
{{- $most := int (include "halfsight.maxReplicas" (dict "root" $root "settings" $group)) -}}
{{- if eq $scaling.kind "none" -}}
{{- if gt (int $group.replicas) $partitions -}}
{{- $wrong = append $wrong (printf "replicas of inference.groups.%s are %d, but %d partitions (kafka.partitions) give no more than %d of them work: lower one, or raise the other." $name (int $group.replicas) $partitions $partitions) -}}
{{- end -}}
{{- else -}}
{{- if gt $most $partitions -}}
{{- $wrong = append $wrong (printf "autoscaling.maxReplicas of inference.groups.%s is %d, but %d partitions (kafka.partitions) give no more than %d of them work: leave it 0, which means that." $name $most $partitions $partitions) -}}
{{- end -}}
{{- if gt (int $scaling.minReplicas) (min $most $partitions | int) -}}
{{- $wrong = append $wrong (printf "autoscaling.minReplicas of inference.groups.%s is %d, above its most, %d." $name (int $scaling.minReplicas) (min $most $partitions | int)) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $scaling.kind "keda") (not (regexMatch "^https?://[^/]+" $scaling.keda.prometheusAddress)) -}}
{{- $wrong = append $wrong (printf "autoscaling.keda.prometheusAddress of inference.groups.%s is no address: say where Prometheus is, as http://prometheus.monitoring:9090." $name) -}}
{{- end -}}
{{- if and (eq $scaling.kind "hpa") (eq $group.provider "cuda") (not $scaling.hpa.lagMetric) -}}
{{- $wrong = append $wrong (printf "inference.groups.%s runs on GPUs, of which its CPU tells nothing: name autoscaling.hpa.lagMetric, or use keda." $name) -}}
{{- end -}}
{{- if gt (add (len (include "halfsight.fullname" $root)) (len $name)) 51 -}}
{{- $wrong = append $wrong (printf "the name of inference.groups.%s is too long for %s-inference-%s." $name (include "halfsight.fullname" $root) $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $wrong -}}
{{- end }}

{{- /* Of the bridges, as a list. */ -}}
{{- define "halfsight.bridgeChecks" -}}
{{- $root := . -}}
{{- $partitions := int .Values.kafka.partitions -}}
{{- $wrong := list -}}
{{- $bridges := include "halfsight.groups" .Values.bridges | fromYaml -}}
{{- if not $bridges -}}
{{- $wrong = append $wrong "bridges.groups is empty: name a bridge, as metropolis: {format: nv-frame, topic: detection, to: mdx-raw}, or set bridges.enabled=false." -}}
{{- end -}}
{{- $owner := dict -}}
{{- range $name := keys $bridges | sortAlpha -}}
{{- $bridge := get $bridges $name -}}
{{- $work := printf "%s of %s into %s" $bridge.format $bridge.topic $bridge.to -}}
{{- with get $owner $work -}}
{{- $wrong = append $wrong (printf "bridges.groups.%s and bridges.groups.%s both write %s, and would share that work: keep one, with as many replicas as it shall have." . $name $work) -}}
{{- end -}}
{{- $_ := set $owner $work $name -}}
{{- if eq $bridge.to "-" -}}
{{- $wrong = append $wrong (printf "bridges.groups.%s.to is -, which is standard output, and of a pod nobody reads that: name a topic." $name) -}}
{{- end -}}
{{- if gt (int $bridge.replicas) $partitions -}}
{{- $wrong = append $wrong (printf "replicas of bridges.groups.%s are %d, but %d partitions (kafka.partitions) give no more than %d of them work: lower one, or raise the other." $name (int $bridge.replicas) $partitions $partitions) -}}
{{- end -}}
{{- if gt (add (len (include "halfsight.fullname" $root)) (len $name)) 54 -}}
{{- $wrong = append $wrong (printf "the name of bridges.groups.%s is too long for %s-bridge-%s." $name (include "halfsight.fullname" $root) $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $wrong -}}
{{- end }}
