{{- define "varve.localFolder" -}}/var/lib/varve/local{{- end -}}

{{- /* The configuration file: what the operator gave, and the places that the chart mounts. */ -}}
{{- define "varve.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $key := printf "/run/secrets/varve-key/%s" .Values.key.entry -}}
{{- $keyed := ternary (dict "passphraseFile" $key) (dict "keyFile" $key) .Values.key.isPassphrase -}}
{{- $dir := printf "/backup/%s" .Values.target.folder -}}
{{- $_ := set $config "local" (merge (dict "dir" (include "varve.localFolder" .)) ($config.local | default dict)) -}}
{{- $_ := set $config "repository" (merge (dict "dir" $dir) $keyed ($config.repository | default dict)) -}}
{{- $_ := set $config "observe" (merge (dict "host" "0.0.0.0" "port" 8080) ($config.observe | default dict)) -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* The same for the Job: nothing of it is kept on a local disk, and it may have a cluster of its own. */ -}}
{{- define "varve.restoreConfig" -}}
{{- $config := include "varve.config" . | fromYaml -}}
{{- $_ := unset $config.local "dir" -}}
{{- with .Values.restore.job.cluster -}}
{{- $_ := set $config "targets" (merge (dict "restore-job" .) ($config.targets | default dict)) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
