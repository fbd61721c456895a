{{- define "varve.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /*
Short enough for what is put behind it, the date of a CronJob's Job too. A Service's name begins with a letter and has no
dots, which a release's may.
*/ -}}
{{- define "varve.fullname" -}}
{{- $name := include "varve.name" . -}}
{{- $usual := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full := .Values.fullnameOverride | default $usual | replace "." "-" -}}
{{- regexReplaceAll "^([0-9])" $full "varve-${1}" | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "varve.selector" -}}
app.kubernetes.io/name: {{ include "varve.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "varve.labels" -}}
{{ include "varve.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "varve.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
