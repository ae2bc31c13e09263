//go:build linux && amd64

package install

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/go-xla/installer"
	"github.com/pkg/errors"
)

// cudaVersion is the release of JAX's plugin that matches the pinned CPU wheel.
const cudaVersion = "0.11.2"

// cudaInstaller is go-xla's own; a test puts another in its place.
var cudaInstaller = installer.CudaInstall

// CUDA installs XLA's CUDA plugin with NVIDIA's libraries (about 3 GB) and returns its path. Where it is installed already it
// returns at once, unless o.Force. It needs no GPU, so that an image can be built on a machine without one.
//
// flavour is "cuda13" or "cuda12"; "cuda" is the former. Options.Version is a version of the packages jax-cuda13-pjrt and
// jax-cuda12-pjrt, or "latest".
func CUDA(ctx context.Context, flavour string, o Options) (string, error) {
	o, err := o.normal()
	if err != nil {
		return "", err
	}
	switch flavour {
	case "cuda":
		flavour = "cuda13"
	case "cuda12", "cuda13":
	default:
		return "", errors.Errorf("install: the CUDA flavour must be cuda, cuda12 or cuda13, got %q", flavour)
	}
	if o.Version == "" {
		o.Version = cudaVersion
	}
	home := filepath.Join(o.Dir, "nvidia")
	to := filepath.Join(home, installer.NVIDIAPJRTPluginFileName)
	if exists(to) && !o.Force {
		fmt.Fprintf(o.Log, "XLA CUDA plugin is installed already: %s\n", to)
		return to, nil
	}
	dir, remove, err := stage(o.Dir)
	if err != nil {
		return "", err
	}
	defer remove()

	// go-xla's installer deletes the old libraries first and links between absolute paths: it works in the staging folder
	// on a copy of the layout lib/go-xla/nvidia, whose links are then made relative.
	lib := filepath.Join(dir, "lib")
	staged := filepath.Join(lib, "go-xla")
	done := make(chan error, 1)
	go func() { done <- cudaInstaller(flavour, o.Version, staged, true, installer.Verbose) }()
	select {
	case err = <-done:
	case <-ctx.Done(): // go-xla's installer takes no context; it ends with the program
		err = ctx.Err()
	}
	if err != nil {
		return "", errors.WithMessage(err, "install: go-xla's CUDA installer")
	}
	nvidia := filepath.Join(staged, "nvidia")
	if !exists(filepath.Join(nvidia, installer.NVIDIAPJRTPluginFileName)) {
		return "", errors.Errorf("install: go-xla's CUDA installer left no %s", installer.NVIDIAPJRTPluginFileName)
	}
	if err := relink(nvidia); err != nil {
		return "", err
	}
	if err := swap(nvidia, home, filepath.Join(dir, "old")); err != nil {
		return "", err
	}
	if err := moveLinks(lib, o.Dir); err != nil {
		return "", err
	}
	fmt.Fprintf(o.Log, "installed the XLA CUDA plugin: %s\n", to)
	return to, nil
}

// relink makes absolute links within root relative, so that they outlive its move.
func relink(root string) error {
	return errors.Wrap(filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Type()&os.ModeSymlink == 0 {
			return err
		}
		target, err := os.Readlink(path)
		if err != nil || !strings.HasPrefix(target, root+string(filepath.Separator)) {
			return err
		}
		relative, err := filepath.Rel(filepath.Dir(path), target)
		if err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.Symlink(relative, path)
	}), "install")
}

// swap puts the folder from in place of the folder to, and to's old content back if that fails.
func swap(from, to, old string) error {
	err := os.Rename(to, old)
	had := err == nil
	if err != nil && !os.IsNotExist(err) {
		return errors.Wrap(err, "install")
	}
	if err := os.Rename(from, to); err != nil {
		if had {
			_ = os.Rename(old, to)
		}
		return errors.Wrap(err, "install")
	}
	return nil
}

// moveLinks makes the links that go-xla's installer left beside its folder (libcublas…, for CUDA 13) beside dir too.
func moveLinks(lib, dir string) error {
	entries, err := os.ReadDir(lib)
	if err != nil {
		return errors.Wrap(err, "install")
	}
	for _, entry := range entries {
		if entry.Type()&os.ModeSymlink == 0 {
			continue
		}
		target, err := os.Readlink(filepath.Join(lib, entry.Name()))
		if err != nil {
			return errors.Wrap(err, "install")
		}
		relative, err := filepath.Rel("go-xla", target)
		if err != nil {
			return errors.Wrap(err, "install")
		}
		fresh := filepath.Join(lib, entry.Name()+".new")
		if err := os.Symlink(filepath.Join(filepath.Base(dir), relative), fresh); err != nil {
			return errors.Wrap(err, "install")
		}
		if err := os.Rename(fresh, filepath.Join(filepath.Dir(dir), entry.Name())); err != nil {
			return errors.Wrap(err, "install")
		}
	}
	return nil
}
