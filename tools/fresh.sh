#!/usr/bin/env bash
# Runs the Dockerfile's `RUN make` steps in a fresh clone of HEAD with an empty HOME, then what is given as arguments
# (default: make demo), and says how long each took. No Docker engine is needed; what the steps need of Debian must be there.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/goebm-fresh-XXXXXX")
# The module cache is read-only, which rm -r does not get past.
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
mkdir "$work/home" "$work/tmp"
git clone --quiet "$top" "$work/goebm"
cd "$work/goebm"
export HOME=$work/home TMPDIR=$work/tmp
unset GOFLAGS GOCACHE GOMODCACHE GOPATH GOBIN GOMLX_BACKEND PJRT_PLUGIN_LIBRARY_PATH XDG_CACHE_HOME XDG_CONFIG_HOME PIP_CACHE_DIR \
  VIRTUAL_ENV EBM_PYTHON

step() {
  local start=$SECONDS
  echo "=== $*"
  "$@"
  echo "=== $((SECONDS - start)) s: $*"
}

while read -r line; do
  step bash -c "$line"
done < <(sed -n 's/^RUN \(make .*\)$/\1/p' Dockerfile | sed "s/\\\${ACCELERATOR}/${ACCELERATOR:-cpu}/g")
[ $# -gt 0 ] || set -- make demo
step "$@"
