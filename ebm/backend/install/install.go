package install

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/pkg/errors"
)

// Options of [CPU] and [CUDA]; the zero value installs the pinned version for the current user.
type Options struct {
	Dir     string    // go-xla's plugin directory; default backend.UserDir()
	Version string    // default: the version this release of go-xla is tested with
	Force   bool      // install again over what is there
	Source  Source    // CPU only: where from; default Any
	Python  string    // the Python whose pip fetches the wheel; default "python3"
	Log     io.Writer // one line per thing done; default io.Discard
}

// Source is where the CPU plugin comes from.
type Source string

const (
	Any   Source = ""       // go-xla's release site, else the wheel
	GoXLA Source = "go-xla" // go-xla's release site only
	Wheel Source = "wheel"  // the pinned wheel only
)

// normal fills in the defaults.
func (o Options) normal() (Options, error) {
	if o.Dir == "" {
		o.Dir = backend.UserDir()
	}
	if o.Dir == "" {
		return o, errors.New("install: no home directory to install to: set HOME, or Options.Dir")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, errors.Wrapf(err, "install: Options.Dir %q", o.Dir)
	}
	o.Dir = dir
	if strings.ContainsAny(o.Version, "/\\ ") {
		return o, errors.Errorf("install: Options.Version %q is not a version", o.Version)
	}
	if o.Source != Any && o.Source != GoXLA && o.Source != Wheel {
		return o, errors.Errorf("install: Options.Source must be %q or %q, got %q", GoXLA, Wheel, o.Source)
	}
	if o.Python == "" {
		o.Python = "python3"
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o, nil
}

const stagePrefix = ".installing-"

// stage makes the hidden folder in which everything is prepared, and clears what a killed install left behind.
func stage(dir string) (path string, remove func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, errors.Wrap(err, "install")
	}
	old, err := filepath.Glob(filepath.Join(dir, stagePrefix+"*"))
	if err != nil {
		return "", nil, errors.Wrap(err, "install")
	}
	for _, path := range old {
		// A younger one may belong to an install that is still running.
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.RemoveAll(path)
		}
	}
	path, err = os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		return "", nil, errors.Wrap(err, "install")
	}
	return path, func() { os.RemoveAll(path) }, nil
}

// publish moves a finished file to its final name, after its bytes are on the disk.
func publish(from, to string) error {
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return errors.Wrap(err, "install")
	}
	err = f.Sync()
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Chmod(from, 0o755)
	}
	if err == nil {
		err = os.Rename(from, to)
	}
	return errors.Wrap(err, "install")
}

// copyAll copies until the end or until ctx is done.
func copyAll(ctx context.Context, to string, from io.Reader) (err error) {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err2 := f.Close(); err == nil {
			err = err2
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(f, from, 1<<20); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// exists says whether there is a plugin already.
func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}
