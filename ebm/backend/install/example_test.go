package install_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goebm/goebm/ebm/backend"
	"github.com/goebm/goebm/ebm/backend/install"
)

// A plugin that is there already is not fetched again, so that a program may ask for it at every start.
func ExampleCPU() {
	dir, err := os.MkdirTemp("", "plugins-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := backend.FileName("cpu", "v1.2.3")
	if err := os.WriteFile(filepath.Join(dir, name), []byte("a plugin"), 0o755); err != nil {
		fmt.Println(err)
		return
	}
	path, err := install.CPU(context.Background(), install.Options{Dir: dir, Version: "v1.2.3"})
	fmt.Println(filepath.Base(path) == name, err)
	// Output: true <nil>
}
