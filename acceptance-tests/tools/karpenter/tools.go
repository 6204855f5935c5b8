//go:build tools

// Package tools pins the program that the rig builds.
package tools

import _ "github.com/aws/karpenter-provider-aws/cmd/controller"
