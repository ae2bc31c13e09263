package main

import (
	"cmp"
	"os"

	"github.com/goebm/goebm/ebm/backend/install"
	"github.com/spf13/cobra"
)

func installCommand() *cobra.Command {
	var o install.Options
	var source string
	cmd := &cobra.Command{
		Use:   "install cpu|cuda|cuda12|cuda13",
		Short: "Install XLA's plugin for the CPU, or for NVIDIA GPUs",
		Long: `Install XLA's plugin to where go-xla looks for it ($HOME/.local/lib/go-xla on Linux).

The CPU plugin comes from go-xla's release site or, where that cannot be reached, out of a wheel of pinned version and
SHA-256 that pip fetches as you have configured it. The CUDA plugin (CUDA 13; cuda12 for the older) comes with NVIDIA's
libraries, about 3 GB, from the Python package index.

An install that fails or is interrupted leaves what was there before. One that is done already ends at once.`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"cpu", "cuda", "cuda12", "cuda13"},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Log = cmd.OutOrStdout()
			o.Source = install.Source(source)
			o.Python = cmp.Or(o.Python, os.Getenv("EBM_PYTHON"))
			var err error
			if args[0] == "cpu" {
				_, err = install.CPU(cmd.Context(), o)
			} else {
				_, err = install.CUDA(cmd.Context(), args[0], o)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.Version, "version", "", "version of the plugin (default: the one this release is tested with)")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "plugin directory (default: go-xla's own for this user)")
	cmd.Flags().StringVar(&source, "from", "", "where the CPU plugin comes from: go-xla or wheel (default: the first that works)")
	cmd.Flags().StringVar(&o.Python, "python", "", "Python whose pip fetches the wheel (default: $EBM_PYTHON, else python3)")
	cmd.Flags().BoolVar(&o.Force, "force", false, "install again over what is there")
	return cmd
}
