// Command ebm sets GoEBM up, runs its notebooks, and joins the files of runs that were shared among processes.
//
//	ebm doctor                  what works on this machine, what is missing, and the line to paste
//	ebm install cpu|cuda        bring the XLA plugin to where go-xla looks for it
//	ebm run NOTEBOOK...         execute GoNB notebooks without a browser, and check them
//	ebm merge OUT IN...         join checkpoints of chains that several processes ran
//
// Each answers to --help. The exit status is 0 only when everything asked for was done.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	if interrupted && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ebm:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "ebm",
		Short:             "Set GoEBM up, run its notebooks, join the files of shared runs",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(doctorCommand(), installCommand(), runCommand(), mergeCommand())
	return cmd
}
