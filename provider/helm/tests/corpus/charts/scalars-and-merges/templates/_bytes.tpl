{{ define "bytes" }}ÿ{{ end }}
{{/* é */}}
