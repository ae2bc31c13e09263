package main

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// modulePath heads the go.mod of a clone of GoEBM.
const modulePath = "module github.com/goebm/goebm\n"

// findRoot returns the clone of GoEBM that holds dir, or an error that says what was looked for.
func findRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", errors.WithStack(err)
	}
	for at := start; ; at = filepath.Dir(at) {
		if data, err := os.ReadFile(filepath.Join(at, "go.mod")); err == nil && bytes.HasPrefix(data, []byte(modulePath)) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", errors.Errorf("no clone of github.com/goebm/goebm (a folder with its go.mod) at %s or above it", start)
		}
	}
}

// tools are the programs that a clone's `make setup` brings.
type tools struct{ python, gonb, goimports string }

// findTools looks for a clone's own programs first, then for others on the PATH; "" is a program that is nowhere.
func findTools(root string) tools {
	look := func(own, name string) string {
		if root != "" {
			if path := filepath.Join(root, own); isFile(path) {
				return path
			}
		}
		path, err := exec.LookPath(name)
		if err != nil {
			return ""
		}
		return path
	}
	return tools{
		python:    cmp.Or(os.Getenv("EBM_PYTHON"), look(".venv/bin/python", "python3")),
		gonb:      look(".bin/gonb", "gonb"),
		goimports: look(".bin/goimports", "goimports"),
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// setenv returns env with variables set anew, given as NAME=value.
func setenv(env []string, variables ...string) []string {
	out := make([]string, 0, len(env)+len(variables))
	for _, old := range env {
		name, _, _ := strings.Cut(old, "=")
		replaced := false
		for _, v := range variables {
			replaced = replaced || strings.HasPrefix(v, name+"=")
		}
		if !replaced {
			out = append(out, old)
		}
	}
	return append(out, variables...)
}
