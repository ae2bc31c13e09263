//go:build !(linux && amd64)

package install

import (
	"context"
	"runtime"

	"github.com/pkg/errors"
)

// CUDA is to be had on Linux on x86-64 only.
func CUDA(context.Context, string, Options) (string, error) {
	return "", errors.Errorf("install: there is no CUDA plugin for %s/%s", runtime.GOOS, runtime.GOARCH)
}
