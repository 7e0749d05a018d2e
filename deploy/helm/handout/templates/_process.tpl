{{/*
The Deployment of one process:

  root        the chart
  name        which, as in `handout work`
  replicas    how many, or nothing where an autoscaler says so
  ports       name: number
  env         variables of its own
  live        where the probes ask: a port's name
  grace       seconds to stop
  drain       seconds that it still serves while proxies learn that it will stop
  volumes, mounts
*/}}
{{- define "handout.process" -}}
{{- $root := .root -}}
{{- $own := get $root.Values .name -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "handout.metadata" (list $root .name) | nindent 2 }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  # One after the other, and never fewer than there were: a version runs beside the one
  # before (docs/upgrading.md).
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "handout.component" (list $root .name) | nindent 6 }}
  template:
    metadata:
      labels: # without versions of the chart: what isn't about a pod doesn't restart it
        {{- include "handout.component" (list $root .name) | nindent 8 }}
      {{- if or $root.Values.secret.values .checksum }}
      annotations:
        {{- with $root.Values.secret.values }}
        checksum/secret: {{ toJson . | sha256sum }}
        {{- end }}
        {{- with .checksum }}
        checksum/files: {{ . }}
        {{- end }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "handout.serviceAccount" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false # its variables would look like misspelt ones of ours
      terminationGracePeriodSeconds: {{ .grace }}
      securityContext:
        runAsNonRoot: true # the image's user is 65532
        seccompProfile: {type: RuntimeDefault}
      {{- with $root.Values.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "handout.component" (list $root $.name) | nindent 14 }}
        {{- end }}
      containers:
        - name: {{ .name }}
          image: {{ include "handout.image" $root | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .name }}]
          env:
            {{- range $name, $value := merge (dict) .env (omit $root.Values.config "TELESIGN_CUSTOMER_ID") }}
            {{- if or (eq $.name "console") (not (hasPrefix "HANDOUT_OIDC_" $name)) }}
            {{- /* toJson, since Helm reads numbers as floats: 10000000 would be 1e+07 */}}
            - {name: {{ $name }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}}
            {{- end }}
            {{- end }}
            {{- with $root.Values.config.TELESIGN_CUSTOMER_ID }}
            {{- if ne $.name "schedule" }}
            - {name: TELESIGN_CUSTOMER_ID, value: {{ . | quote }}}
            {{- end }}
            {{- end }}
            {{- include "handout.secretEnv" (list $root .name) | nindent 12 }}
            {{- with $own.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- range $name, $port := .ports }}
            - {name: {{ $name }}, containerPort: {{ $port }}}
            {{- end }}
          {{- with .drain }}
          lifecycle:
            preStop:
              sleep: {seconds: {{ . }}}
          {{- end }}
          # It lives when it answers; it is ready when Redis takes its writes.
          livenessProbe:
            httpGet: {path: /healthz, port: {{ .live }}}
            periodSeconds: 10
            timeoutSeconds: 3
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: {{ .live }}}
            periodSeconds: 5
            timeoutSeconds: 3
          resources: {{- toYaml $own.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- with concat (default list .mounts) $own.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: {{ $root.Values.tmpSize }}}
        {{- with concat (default list .volumes) $own.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- include "handout.placement" $root | nindent 6 }}
{{- end -}}

{{- define "handout.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A Service: (dict "root" . "name" "listen" "ports" (dict "http" 80 "metrics" 8081)); without http its name leads to the pods themselves */}}
{{- define "handout.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "handout.metadata" (list .root .name) | nindent 2 }}
spec:
  {{- if not (hasKey .ports "http") }}
  clusterIP: None # each pod is asked by itself
  {{- end }}
  selector:
    {{- include "handout.component" (list .root .name) | nindent 4 }}
  ports:
    {{- range $name, $port := .ports }}
    - {name: {{ $name }}, port: {{ $port }}, targetPort: {{ $name }}}
    {{- end }}
{{- end -}}

{{/* One pod at a time may be moved on purpose: (list . "work") */}}
{{- define "handout.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "handout.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "handout.component" . | nindent 6 }}
{{- end -}}

{{/* (dict "root" . "name" "listen" "path" "/callbacks/telesign" "type" "Exact") */}}
{{- define "handout.ingress" -}}
{{- $i := (get .root.Values .name).ingress -}}
{{- $host := required (printf "%s.ingress.host is required" .name) $i.host -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "handout.metadata" (list .root .name) | nindent 2 }}
  {{- with $i.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $i.className }}
  ingressClassName: {{ . }}
  {{- end }}
  tls:
    - hosts: [{{ $host | quote }}]
      {{- with $i.tlsSecret }}
      secretName: {{ . }}
      {{- end }}
  rules:
    - host: {{ $host | quote }}
      http:
        paths:
          - path: {{ .path }}
            pathType: {{ .type }}
            backend:
              service:
                name: {{ include "handout.fullname" .root }}-{{ .name }}
                port: {name: http}
{{- end -}}
