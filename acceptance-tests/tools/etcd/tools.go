//go:build tools

// Package tools names the program whose dependencies go.mod pins.
package tools

import _ "go.etcd.io/etcd/server/v3"
