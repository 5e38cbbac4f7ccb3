{{/* true where `answer`, of auto, always and never, asks for what the API server has (`served`) or has not. */}}
{{- define "l2sm.wanted" -}}
{{- if or (eq .answer "always") (and (eq .answer "auto") .served) }}true{{ end }}
{{- end }}

{{/*
The data of ConfigMap l2sm-settings: the manifests' (`data`), and above it the
values (`values`), each of which has the setting's name in another spelling.
*/}}
{{- define "l2sm.settings" -}}
{{- $data := .data }}
{{- range $key, $value := .values }}
  {{- $name := snakecase $key | upper }}
  {{- if not (hasKey $data $name) }}
    {{- fail (printf "settings.%s: the manifests have no setting %s" $key $name) }}
  {{- end }}
  {{- $_ := set $data $name (toString $value) }}
{{- end }}
{{- toYaml $data }}
{{- end }}

{{/* An image of the manifests (`image`) by the chart's registry and tag. */}}
{{- define "l2sm.image" -}}
{{- $name := base .image | splitList ":" | first }}
{{- printf "%s/%s:%s" .root.Values.image.registry $name (default .root.Chart.AppVersion .root.Values.image.tag) }}
{{- end }}

{{/*
Changes the pods (`pod`) of a workload by its values (`values`, which stand at
`path`), and where volumes are on the node (`folders`, by the volume's name).
*/}}
{{- define "l2sm.pod" -}}
{{- $root := .root }}
{{- $pod := .pod }}
{{- $values := .values }}
{{- with $values.nodeSelector }}
  {{- $_ := set $pod "nodeSelector" (mergeOverwrite (default dict $pod.nodeSelector) .) }}
{{- end }}
{{- with $values.tolerations }}{{ $_ := set $pod "tolerations" . }}{{ end }}
{{- with $values.priorityClassName }}{{ $_ := set $pod "priorityClassName" . }}{{ end }}
{{- with $root.Values.image.pullSecrets }}{{ $_ := set $pod "imagePullSecrets" . }}{{ end }}
{{- $containers := concat (default list $pod.initContainers) $pod.containers }}
{{- $names := list }}
{{- range $container := $containers }}
  {{- $names = append $names $container.name }}
  {{- $_ := set $container "image" (include "l2sm.image" (dict "root" $root "image" $container.image)) }}
  {{- $_ := set $container "imagePullPolicy" $root.Values.image.pullPolicy }}
  {{- with get (default dict $values.resources) $container.name }}
    {{- $_ := set $container "resources" (mergeOverwrite (default dict $container.resources) .) }}
  {{- end }}
{{- end }}
{{- range $name := keys (default dict $values.resources) }}
  {{- if not (has $name $names) }}
    {{- fail (printf "%s.resources.%s: no such container; there are %s" $.path $name (join ", " $names)) }}
  {{- end }}
{{- end }}
{{- range $volume := $pod.volumes }}
  {{- with get $.folders $volume.name }}{{ $_ := set $volume.hostPath "path" . }}{{ end }}
{{- end }}
{{- end }}
