//go:build tools

// Package tools pins the program that the rig builds.
package tools

import _ "sigs.k8s.io/aws-load-balancer-controller"
