package backend

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the backend that is always there
	"github.com/pkg/errors"
)

// Options of [NewWith]; the zero value is what [New] uses.
type Options struct {
	// Devices is the number of devices of an XLA CPU client. 0 leaves it to the plugin (4 for the one that `ebm install`
	// brings). On any other backend the devices are what they are, and asking for more is an error.
	Devices int

	// Notice is where a fall-back to a slower backend is reported, one line each. Default os.Stderr.
	Notice io.Writer
}

// New returns the backend that the package's documentation describes: GOMLX_BACKEND, else XLA, else pure Go.
func New() (compute.Backend, error) { return NewWith(Options{}) }

// NewWith is [New] with options.
//
// It returns an error when GOMLX_BACKEND names a backend that cannot be had, or when the number of devices cannot;
// it does not look further for another one then.
func NewWith(o Options) (compute.Backend, error) {
	if o.Devices < 0 {
		return nil, errors.Errorf("backend: Options.Devices must not be negative, got %d", o.Devices)
	}
	if o.Notice == nil {
		o.Notice = os.Stderr
	}
	if config, set := os.LookupEnv(compute.ConfigEnvVar); set {
		b, err := open(config, o.Devices)
		return b, errors.WithMessagef(err, "backend: %s=%q", compute.ConfigEnvVar, config)
	}
	found := Probe()
	for _, p := range found.usable() {
		b, err := open("xla:"+p.config(), o.Devices)
		if err == nil {
			return b, nil
		}
		fmt.Fprintf(o.Notice, "goebm: the XLA plugin %s does not work (%s); `ebm install %s --force` renews it\n",
			p.Path, firstLine(err), p.Platform)
	}
	fmt.Fprintln(o.Notice, found.notice())
	b, err := open("go", o.Devices)
	return b, errors.WithMessage(err, "backend: pure Go")
}

// Open returns the backend of a configuration written as in GOMLX_BACKEND, such as "go" or "xla:cpu".
func Open(config string) (compute.Backend, error) {
	b, err := open(config, 0)
	return b, errors.WithMessagef(err, "backend: configuration %q", config)
}

// open turns the panics of backend constructors into errors: GoMLX panics on an unknown name, go-xla on a plugin that
// cannot be loaded.
func open(config string, devices int) (b compute.Backend, err error) {
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, errors.Errorf("%v", r)
		}
	}()
	b, err = construct(config, devices)
	if err != nil {
		return nil, err
	}
	if got := int(b.NumDevices()); devices > got {
		b.Finalize()
		return nil, errors.Errorf("Options.Devices is %d, but backend %q has %d", devices, config, got)
	}
	return b, nil
}

// firstLine of what went wrong at the bottom of an error.
func firstLine(err error) string {
	line, _, _ := strings.Cut(errors.Cause(err).Error(), "\n")
	return line
}
