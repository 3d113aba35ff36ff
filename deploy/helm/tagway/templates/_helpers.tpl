{{- define "tagway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tagway.fullname" -}}
{{- $name := include "tagway.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tagway.selector" -}}
app.kubernetes.io/name: {{ include "tagway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tagway.labels" -}}
{{ include "tagway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tagway.configMap" -}}
{{- default (include "tagway.fullname" .) .Values.existingConfigMap }}
{{- end }}

{{- define "tagway.secret" -}}
{{- default (include "tagway.fullname" .) .Values.existingSecret }}
{{- end }}

{{/* What `tagway check --container` says of the configuration. */}}
{{- define "tagway.grace" -}}
{{- $duck := dig "tagway" "lame_duck" 0 .Values.config }}
{{- $drain := dig "tagway" "drain_timeout" 300 .Values.config }}
{{- default (add (ceil $duck) (ceil $drain) 15) .Values.terminationGracePeriodSeconds }}
{{- end }}
