package main

import (
	"fmt"
	"os"

	"github.com/goebm/goebm/ebm"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
)

func mergeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "merge OUT IN...",
		Short: "Join the checkpoints of a run that was shared among processes",
		Long: `Join the checkpoint files IN of processes that each ran some of a run's chains (ebm.Options.FirstChain and TotalChains) into OUT,
the checkpoint that one process with all chains would have left. The files may come in any order.

Nothing is written where the files are not the parts of one run: another seed, another step, chains that are missing or there twice.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, in := args[0], args[1:]
			if there, err := os.Stat(out); err == nil {
				for _, path := range in {
					if part, err := os.Stat(path); err == nil && os.SameFile(there, part) {
						return errors.Errorf("merge: %s is one of the files to join, and would be overwritten", out)
					}
				}
			}
			all, err := ebm.MergeCheckpoints(in...)
			if err != nil {
				return err
			}
			if err := all.Save(out); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d chains of %d files, step %d, seed %d\n", out, all.State[0].Shape().Dimensions[0], len(in), all.Step, all.Seed)
			return err
		},
	}
}
