{{- /* What every pod of this chart has in common; nothing in it is privileged. */ -}}
{{- define "varve.podSettings" -}}
serviceAccountName: {{ include "varve.fullname" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.user.id | int64 }}
  runAsGroup: {{ .Values.user.group | int64 }}
  {{- with .Values.user.fsGroup }}
  fsGroup: {{ . | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  {{- with .Values.user.supplementalGroups }}
  supplementalGroups: {{ toYaml . | nindent 4 }}
  {{- end }}
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "varve.containerSettings" -}}
image: {{ include "varve.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: { drop: [ALL] }
resources: {{ toYaml .Values.resources | nindent 2 }}
{{- with .Values.extraEnv }}
env: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Of (secretFiles, onlyReads): what is mounted everywhere. The local disk is not among it. */ -}}
{{- define "varve.mounts" -}}
- { name: config, mountPath: /etc/varve, readOnly: true }
- { name: key, mountPath: /run/secrets/varve-key, readOnly: true }
- { name: target, mountPath: /backup, readOnly: {{ .onlyReads | default false }} }
- { name: tmp, mountPath: /tmp }
{{- range .secretFiles }}
- { name: secret-{{ .name }}, mountPath: /run/secrets/varve/{{ .name }}, readOnly: true }
{{- end }}
{{- end -}}

{{- /* Of (root, config, keySecret, secretFiles). Without an fsGroup a Secret's files belong to root alone. */ -}}
{{- define "varve.volumes" -}}
{{- $mode := ternary 288 292 (not (empty .root.Values.user.fsGroup)) -}}
{{- $target := .root.Values.target -}}
{{- range $index, $one := .secretFiles -}}
{{- range slice $.secretFiles 0 $index -}}
{{- if eq .name $one.name -}}
{{- fail (printf "secretFiles: expected a name of its own for each, those of restore.job too, got %s twice" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
- name: config
  configMap: { name: {{ .config }} }
- name: key
  secret: { secretName: {{ .keySecret | quote }}, defaultMode: {{ $mode }} }
- name: target
  {{- if eq $target.kind "nfs" }}
  nfs: { server: {{ $target.nfs.server | quote }}, path: {{ $target.nfs.path | quote }} }
  {{- else if eq $target.kind "existingClaim" }}
  persistentVolumeClaim: { claimName: {{ $target.existingClaim | quote }} }
  {{- else }}
  persistentVolumeClaim: { claimName: {{ include "varve.fullname" .root }}-target }
  {{- end }}
- name: tmp
  emptyDir: { sizeLimit: 256Mi }
{{- range .secretFiles }}
- name: secret-{{ .name }}
  secret: { secretName: {{ .secret | quote }}, defaultMode: {{ $mode }} }
{{- end }}
{{- end -}}

{{- /* Of (root, name, args, config, keySecret, secretFiles, onlyReads): a pod that runs one command beside the daemon. */ -}}
{{- define "varve.onePod" -}}
{{- $root := .root -}}
{{ include "varve.podSettings" $root }}
restartPolicy: Never
{{- if and $root.Values.target.isOnOneNode $root.Values.daemon.enabled }}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "varve.selector" $root | nindent 12 }}
            app.kubernetes.io/component: daemon
{{- else }}
{{- with $root.Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
containers:
  - name: {{ .name }}
    {{- include "varve.containerSettings" $root | nindent 4 }}
    args: {{ toYaml .args | nindent 6 }}
    volumeMounts:
      {{- include "varve.mounts" . | nindent 6 }}
      - { name: local, mountPath: /var/lib/varve }
volumes:
  {{- include "varve.volumes" . | nindent 2 }}
  - name: local
    emptyDir: {}
{{- end -}}
