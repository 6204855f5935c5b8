//go:build tools

// Package tools names the program whose dependencies go.mod pins.
package tools

import _ "github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs"
