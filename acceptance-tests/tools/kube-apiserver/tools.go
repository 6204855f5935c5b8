//go:build tools

// Package tools names the program whose dependencies go.mod pins.
package tools

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
