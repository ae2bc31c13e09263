// Package backend chooses the GoMLX backend that a program computes on.
//
// [New] takes the first of these that there is:
//
//  1. what the environment variable GOMLX_BACKEND names, read exactly as GoMLX reads it ("go", "xla:cpu", "xla:cuda",
//     "xla:/path/to/plugin.so", …);
//  2. XLA on CUDA, where there is an NVIDIA GPU and go-xla's CUDA plugin is installed;
//  3. XLA on the CPU, where go-xla's CPU plugin is installed;
//  4. GoMLX's pure Go backend, with one line on standard error that says so and how to get XLA.
//
// Plugins are looked for in go-xla's own directories ([Dirs]). Nothing is ever downloaded: `ebm install` (package
// [github.com/goebm/goebm/ebm/backend/install]) brings a plugin, when asked to. No function of this package panics.
//
// Built with the tag noxla, or without cgo, the package leaves XLA out, and steps 2 and 3 with it; such a program can be
// linked statically.
//
// # Float32 on a GPU
//
// On CUDA a product of float32 matrices keeps float32's 24 bits, as PyTorch's does and GoMLX's alone does not: with TF32, which
// keeps 11 of each factor, energies are off by some thousandths of their size, and Metropolis' rule compares energies. Where speed
// matters more, "xla:cuda,tf32" asks for TF32.
//
// # Several devices
//
// XLA's CPU plugin runs small fused operations on one thread, so that a computation sharded over several devices of
// the same processor can be quicker than on one (see GoMLX's Exec.AutoSharding). The plugin offers 4 devices unless told
// otherwise; [Options] sets another number for the one client that is being made, which works where the environment
// variable XLA_FLAGS=--xla_force_host_platform_device_count=N does not: this plugin ignores it.
package backend
