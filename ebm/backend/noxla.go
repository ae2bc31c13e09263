//go:build !cgo || noxla || !((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import "github.com/gomlx/compute"

// xlaBuilt says whether this program can load XLA plugins.
const xlaBuilt = false

func construct(config string, _ int) (compute.Backend, error) { return compute.NewWithConfig(config) }
