#!/bin/sh
# Runs a selection of dieharder's tests over one stream: battery.sh elements|steps|uses|keys [noisebits]
# Each test reads the stream of its own seed (1 + the test's number); the printed seconds are of the whole battery.
# A line is: test, ntuple, tsamples, psamples, p, assessment.
stream=$1
noisebits=${2:-noisebits}
run() { # test number, then options
	d=$1
	shift
	"$noisebits" -stream "$stream" -seed $((d + 1)) |
		dieharder -g 200 -d "$d" "$@" -D test_name -D ntuple -D tsamples -D psamples -D pvalues -D assessment | tr -d ' '
}
begin=$(date +%s)
for d in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 15 16 100 101 102 206 207 208 209; do
	run $d
done
for n in 1 2 3 4 5 6; do run 200 -n $n; done
for n in 2 3; do run 201 -n $n -p 200; done
for n in 2 3 4 5; do run 202 -n $n -p 20; done
for n in 0 1 2 3 7 15 31; do run 203 -n $n -p 10; done
run 17 -p 10
run 204 -p 200
run 205
echo "# $stream: $(($(date +%s) - begin)) s"
