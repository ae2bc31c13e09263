// Package install brings XLA's plugins to where go-xla looks for them, $HOME/.local/lib/go-xla on Linux.
//
// [CPU] fetches the release that go-xla's own installer names; where its site cannot be reached within ten seconds, the
// same library out of a wheel of pinned version and SHA-256, through the user's own pip configuration (a mirror, a
// proxy, a private index). [CUDA] runs go-xla's installer, which fetches JAX's CUDA plugin and NVIDIA's libraries and
// checks their SHA-256.
//
// Everything happens in a hidden folder beside the destination and ends with a rename. So an install that fails, is cancelled
// or is killed leaves what was there before, and a plugin that exists is a whole one.
//
// The package needs no cgo, and a program that does not import it carries no download code of ours.
package install
