{{- define "greeter.text" -}}
{{ .Values.greeting }}, {{ .Values.global.who }}
{{- end -}}
