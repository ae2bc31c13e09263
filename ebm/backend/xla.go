//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import (
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

// xlaBuilt says whether this program can load XLA plugins.
const xlaBuilt = true

// construct makes the backend of a configuration, and sets the number of an XLA CPU client's devices.
func construct(config string, devices int) (compute.Backend, error) {
	xla.EnableAutoInstall(false) // go-xla would download plugins at run time
	name, plugin, _ := strings.Cut(config, ":")
	switch name {
	case "xla", "stablehlo", "hlo", "shlo":
	default:
		return compute.NewWithConfig(config)
	}
	plugin, options, _ := strings.Cut(plugin, ",")
	if plugin == "" || plugin == "cpu" || plugin == "cuda" {
		// A plugin given by its path saves go-xla from loading and unloading every plugin of the machine to list their names.
		if p := Probe().best(plugin); p != nil {
			plugin = p.config()
		}
	}
	cuda := pjrt.IsCUDAName(plugin)
	if cuda && !strings.Contains(options, "tf32") {
		options = strings.TrimPrefix(options+",tf32=false", ",") // go-xla's default is TF32
	}
	config = strings.TrimSuffix(plugin+","+options, ",")
	if devices == 0 || cuda {
		return xla.New(config)
	}
	return xla.NewWithOptions(config, pjrt.NamedValuesMap{"cpu_device_count": int64(devices)})
}
