package backend

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/compute"
)

// CPUVersion is the version in the file name of the CPU plugin that this release of go-xla looks for.
const CPUVersion = "v0.114.0"

// Plugin is an XLA plugin's file.
type Plugin struct {
	Platform string // "cpu" or "cuda"
	Path     string // absolute
}

// Found is what [Probe] found on this machine.
type Found struct {
	Setting    string   // value of GOMLX_BACKEND
	SettingSet bool     // whether GOMLX_BACKEND is set at all
	XLABuilt   bool     // whether this program was built with XLA: cgo, and not the tag noxla
	GPU        bool     // whether there is an NVIDIA GPU
	Dirs       []string // where plugins were looked for, in this order
	Plugins    []Plugin // CUDA first, then CPU; each platform's preferred file first
}

// Choice is the configuration that [New] tries first, as GOMLX_BACKEND would spell it.
func (f Found) Choice() string {
	if f.SettingSet {
		return f.Setting
	}
	if p := f.usable(); len(p) > 0 {
		return "xla:" + p[0].config()
	}
	return "go"
}

// usable lists the plugins that this program can run here.
func (f Found) usable() []Plugin {
	if !f.XLABuilt {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.Plugins), func(p Plugin) bool { return p.Platform == "cuda" && !f.GPU })
}

// best plugin of a platform ("" for any), nil where there is none.
func (f Found) best(platform string) *Plugin {
	for _, p := range f.usable() {
		if platform == "" || p.Platform == platform {
			return &p
		}
	}
	return nil
}

// config is how go-xla is told to load the plugin: by its path, or by its platform where the path would mislead go-xla,
// which takes any path with "cuda" or "nvidia" in it for a CUDA plugin, and with "cpu" for a CPU plugin.
func (p Plugin) config() string {
	path := strings.ToLower(p.Path)
	cuda := strings.Contains(path, "cuda") || strings.Contains(path, "nvidia")
	cpu := strings.Contains(path, "cpu")
	if cuda == (p.Platform == "cuda") && cpu == (p.Platform == "cpu") {
		return p.Path
	}
	return p.Platform
}

// notice is the line that tells a user of the pure Go backend why, and what would be quicker.
func (f Found) notice() string {
	if !f.XLABuilt {
		return "goebm: built without XLA, running on the pure Go backend (GOMLX_BACKEND=go says so without this line); " +
			"build with cgo and without the tag noxla for XLA"
	}
	return "goebm: no XLA plugin works here, running on the slower pure Go backend (GOMLX_BACKEND=go says so without this line); " +
		"to get XLA: go run github.com/goebm/goebm/cmd/ebm install cpu"
}

// Probe looks for plugins and for a GPU. It loads and starts nothing, and takes less than a millisecond.
func Probe() Found {
	f := Found{XLABuilt: xlaBuilt, Dirs: Dirs()}
	f.Setting, f.SettingSet = os.LookupEnv(compute.ConfigEnvVar)
	for _, platform := range []string{"cuda", "cpu"} {
		for _, dir := range f.Dirs {
			for _, path := range pluginFiles(dir, platform) {
				f.Plugins = append(f.Plugins, Plugin{Platform: platform, Path: path})
			}
		}
	}
	f.GPU = hasGPU()
	return f
}

// Dirs lists go-xla's own plugin directories: those of PJRT_PLUGIN_LIBRARY_PATH where it is set, else the user's
// ($HOME/.local/lib/go-xla on Linux) and the system's (/usr/local/lib/go-xla), each with its sub-directory nvidia.
func Dirs() []string {
	var dirs []string
	if list, set := os.LookupEnv("PJRT_PLUGIN_LIBRARY_PATH"); set {
		for _, dir := range filepath.SplitList(list) {
			if filepath.IsAbs(dir) {
				dirs = append(dirs, dir)
			}
		}
		return dirs
	}
	if dir := UserDir(); dir != "" {
		dirs = append(dirs, dir, filepath.Join(dir, "nvidia"))
	}
	return append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
}

// UserDir is the directory of the user's own plugins, or "" where the user has no home directory.
func UserDir() string {
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "go-xla")
	case "windows":
		return filepath.Join(home, "AppData", "Local", "go-xla")
	}
	return filepath.Join(home, ".local", "lib", "go-xla")
}

// FileName of a platform's plugin; version is "" for a name without one.
func FileName(platform, version string) string {
	if version != "" {
		platform += "_" + version
	}
	ext := map[string]string{"darwin": ".dylib", "windows": ".dll"}[runtime.GOOS]
	if ext == "" {
		ext = ".so"
	}
	return "pjrt_c_api_" + platform + "_plugin" + ext
}

// pluginFiles lists a directory's plugins of a platform: go-xla's tested version first, then the others by name.
func pluginFiles(dir, platform string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var paths []string
	bare := FileName(platform, "")
	stem, ext := strings.TrimSuffix(bare, "_plugin"+filepath.Ext(bare)), filepath.Ext(bare)
	for _, e := range entries {
		name := e.Name()
		if name != bare && !(strings.HasPrefix(name, stem+"_v") && strings.HasSuffix(name, "_plugin"+ext)) {
			continue
		}
		// A link whose target is gone counts as absent.
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if path := filepath.Join(dir, name); name == FileName(platform, CPUVersion) {
			paths = slices.Insert(paths, 0, path)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

// hasGPU says whether there is an NVIDIA GPU: its device file or, in WSL, the host's GPU with NVIDIA's program for it.
func hasGPU() bool {
	if files, err := filepath.Glob("/dev/nvidia[0-9]*"); err == nil && len(files) > 0 {
		return true
	}
	_, noHost := os.Stat("/dev/dxg")
	_, noProgram := exec.LookPath("nvidia-smi")
	return noHost == nil && noProgram == nil
}
