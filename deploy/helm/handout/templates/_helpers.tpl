{{/* What all objects' names begin with. */}}
{{- define "handout.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "handout.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "handout.labels" -}}
{{ include "handout.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* metadata of what belongs to one component: (list . "work") */}}
{{- define "handout.metadata" -}}
{{- $root := first . -}}
name: {{ include "handout.fullname" $root }}-{{ last . }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "handout.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "handout.component" -}}
{{ include "handout.selector" (first .) }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "handout.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "handout.serviceAccount" -}}
{{- default (include "handout.fullname" .) .Values.serviceAccount.existing -}}
{{- end -}}

{{/* The name of the Secret, from exactly one of the three places. */}}
{{- define "handout.secret" -}}
{{- if not (or .Values.config.TELESIGN_CUSTOMER_ID .Values.config.HANDOUT_ACCOUNTS) -}}
{{- fail "config.TELESIGN_CUSTOMER_ID, or HANDOUT_ACCOUNTS, is required" -}}
{{- end -}}
{{- $s := .Values.secret -}}
{{- $said := list -}}
{{- if $s.existing }}{{ $said = append $said "existing" }}{{ end -}}
{{- if $s.external.key }}{{ $said = append $said "external" }}{{ end -}}
{{- if $s.values }}{{ $said = append $said "values" }}{{ end -}}
{{- if ne (len $said) 1 -}}
{{- fail (printf "secret: say one of existing, external.key and values, not %s" (ternary "none" (join " and " $said) (empty $said))) -}}
{{- end -}}
{{- default (include "handout.fullname" .) $s.existing -}}
{{- end -}}

{{/*
How long a worker may take to stop, in seconds: the sends that are out
(HANDOUT_SEND_TIMEOUT), 20 to record their answers should Redis be restarting just then,
and 10 to stop the rest, as in docker-compose.yml; and 15 for the node. With the default
of 15s that is 60. A worker killed earlier leaves recipients in doubt.
*/}}
{{- define "handout.grace" -}}
{{- add (trimSuffix "s" (default "15s" .Values.config.HANDOUT_SEND_TIMEOUT)) 45 -}}
{{- end -}}

{{/* The Secret's keys that a process gets: (list . "work") */}}
{{- define "handout.secretEnv" -}}
{{- $root := first . -}}
{{- $process := last . -}}
{{- $secret := include "handout.secret" $root -}}
{{- $required := dict -}}
{{- if $root.Values.redis.enabled -}}
{{- $_ := set $required "REDIS_PASSWORD" (printf "REDIS_PASSWORD_%s" (upper $process)) -}}
{{- else -}}
{{- $_ := set $required "REDIS_URL" (get $root.Values.redis.urlKeys $process) -}}
{{- end -}}
{{- $optional := list "HANDOUT_MASTER_KEY" "HANDOUT_MASTER_KEY_PREVIOUS" "HANDOUT_KEYS_URL" -}}
{{- if ne $process "listen" -}}{{/* it calls no one */}}
{{- $optional = append $optional "HANDOUT_PROXY_URL" -}}
{{- end -}}
{{- if eq $process "schedule" -}}
{{- $optional = concat $optional (list "HANDOUT_SCHEDULE_S3_SECRET_KEY" "HANDOUT_SCHEDULE_S3_SESSION_TOKEN") -}}
{{- else -}}
{{- $optional = append $optional "TELESIGN_PREVIOUS_API_KEY" -}}
{{- if eq $process "console" -}}
{{- $optional = append $optional "HANDOUT_OIDC_CLIENT_SECRET" -}}
{{- end -}}
{{- if $root.Values.config.TELESIGN_CUSTOMER_ID -}}
{{- $_ := set $required "TELESIGN_API_KEY" "TELESIGN_API_KEY" -}}
{{- end -}}
{{- end -}}
{{- range $name, $key := $required }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ $key }}}
{{- end }}
{{- range $optional }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ . }}, optional: true}
{{- end }}
{{- if $root.Values.redis.enabled }}
- name: REDIS_URL
  value: redis://{{ $process }}:$(REDIS_PASSWORD)@{{ include "handout.fullname" $root }}-redis:6379
{{- end }}
{{- end -}}

{{/* Where browsers reach the console. */}}
{{- define "handout.consoleURL" -}}
{{- with .Values.console.ingress -}}
{{- if .enabled -}}
https://{{ required "console.ingress.host is required" .host }}{{ trimSuffix "/" .path }}/
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What begins every key in Redis. */}}
{{- define "handout.prefix" -}}
{{- default "handout" .Values.config.HANDOUT_PREFIX -}}
{{- end -}}

{{/* Those of the chart's own Secret: with others Redis has to start anew. */}}
{{- define "handout.redisPasswords" -}}
{{- range $key, $value := .Values.secret.values -}}
{{- if hasPrefix "REDIS_PASSWORD_" $key }}{{ $key }}={{ $value }} {{ end -}}
{{- end -}}
{{- end -}}
