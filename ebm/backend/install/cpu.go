package install

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/gomlx/go-xla/installer"
	"github.com/pkg/errors"
)

// reachLimit bounds the wait for an answer of go-xla's release site, which some networks drop without a word.
const reachLimit = 10 * time.Second

// fetchLimit bounds the download from go-xla's release site (about 70 MB).
const fetchLimit = 5 * time.Minute

// CPU installs XLA's CPU plugin and returns its path. Where it is installed already it returns at once, unless o.Force.
//
// Options.Version is a release of go-xla's plugin such as "v0.114.0" (the default); the wheel stands in for the default version
// only.
func CPU(ctx context.Context, o Options) (string, error) {
	o, err := o.normal()
	if err != nil {
		return "", err
	}
	if o.Version == "" {
		o.Version = backend.CPUVersion
	}
	to := filepath.Join(o.Dir, backend.FileName("cpu", o.Version))
	if exists(to) && !o.Force {
		fmt.Fprintf(o.Log, "XLA CPU plugin is installed already: %s\n", to)
		return to, nil
	}
	dir, remove, err := stage(o.Dir)
	if err != nil {
		return "", err
	}
	defer remove()

	var from string
	var siteErr error
	if o.Source != Wheel {
		if from, siteErr = fromGoXLA(ctx, dir, o); siteErr != nil && (o.Source == GoXLA || ctx.Err() != nil) {
			return "", errors.WithMessage(siteErr, "install: go-xla's release site")
		}
	}
	if from == "" {
		if siteErr != nil {
			fmt.Fprintf(o.Log, "go-xla's release site cannot be used here (%v); trying the wheel\n", errors.Cause(siteErr))
		}
		wheel, ok := wheels[runtime.GOOS+"/"+runtime.GOARCH]
		if !ok {
			return "", errors.Errorf("install: there is no wheel of the plugin for %s/%s, and go-xla's release site was not to be had",
				runtime.GOOS, runtime.GOARCH)
		}
		if o.Version != backend.CPUVersion {
			return "", errors.Errorf("install: the wheel stands in for version %s only, not for Options.Version %q", backend.CPUVersion, o.Version)
		}
		if from, err = wheel.fetch(ctx, dir, o); err != nil {
			return "", errors.WithMessagef(err, "install: wheel %s", wheel.Requirement)
		}
	}
	if err := isLibrary(from); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", errors.Wrap(err, "install")
	}
	if err := publish(from, to); err != nil {
		return "", err
	}
	fmt.Fprintf(o.Log, "installed the XLA CPU plugin: %s\n", to)
	return to, nil
}

// fromGoXLA downloads the release that go-xla's installer names and unpacks the plugin into dir.
func fromGoXLA(ctx context.Context, dir string, o Options) (string, error) {
	type answer struct {
		url string
		err error
	}
	// go-xla's look-up takes no context; one that hangs is left behind.
	asked := make(chan answer, 1)
	go func() {
		url, err := installer.CPUGetDownloadURL(runtime.GOOS+"_"+runtime.GOARCH, o.Version)
		asked <- answer{url, err}
	}()
	var url string
	select {
	case a := <-asked:
		if a.err != nil {
			return "", a.err
		}
		url = a.url
	case <-time.After(reachLimit):
		return "", errors.Errorf("no answer within %v", reachLimit)
	case <-ctx.Done():
		return "", errors.WithStack(ctx.Err())
	}

	fmt.Fprintf(o.Log, "fetching %s\n", url)
	fetchCtx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(fetchCtx, http.MethodGet, url, nil)
	if err != nil {
		return "", errors.WithStack(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", errors.WithStack(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.Errorf("%s answers %s", url, response.Status)
	}
	archive := filepath.Join(dir, filepath.Base(url))
	if err := copyAll(fetchCtx, archive, response.Body); err != nil {
		return "", errors.WithStack(err)
	}
	unpacked := filepath.Join(dir, "unpacked")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		return "", errors.WithStack(err)
	}
	unpack := installer.Untar
	if strings.HasSuffix(archive, ".zip") {
		unpack = installer.Unzip
	}
	files, err := unpack(archive, unpacked)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if ok, _ := filepath.Match(backend.FileName("cpu*", ""), filepath.Base(file)); ok && exists(file) {
			return file, nil
		}
	}
	return "", errors.Errorf("%s holds no %s", url, backend.FileName("cpu*", ""))
}

// isLibrary refuses what is plainly no shared library, such as a proxy's error page.
func isLibrary(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.Wrap(err, "install")
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := f.Read(head); err != nil {
		return errors.Wrapf(err, "install: %s", filepath.Base(path))
	}
	for _, magic := range []string{"\x7fELF", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "MZ"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return nil
		}
	}
	return errors.Errorf("install: %s is not a shared library (it begins with %q)", filepath.Base(path), head)
}
