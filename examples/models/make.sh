#!/usr/bin/env bash
# Trains the five small models, several at once, and the same in JAX where a Python with JAX is named.
#
#   examples/models/make.sh [--steps N] [--set NAME=VALUE] [--jobs N] [--threads N] [--out FOLDER] [--jax PYTHON] [SCHEME ..]
#
# LOCUS is the binary (target/release/locus if nothing is said). Each scheme writes FOLDER/SCHEME/: model.safetensors,
# config.json, loss.npy, loss.svg, and the record of the run. A run that was interrupted goes on where it
# stopped when this is run again; checkpoints are kept in LOCUS_CACHE. With --jax, first/, starts.npy and ids.npy
# hold what JAX starts from, jax.json what it found, jax.loss.npy its losses.
set -euo pipefail
# Paths below the root of the project, so that the records of the runs are the same wherever it lies.
cd "$(dirname "$0")/../.."
locus=${LOCUS:-target/release/locus}
settings=() jobs=1 threads=() out=examples/models jax= schemes=()
while [ $# -gt 0 ]; do
  case $1 in
    --steps) settings+=(--set "steps=$2"); shift 2 ;;
    --set) settings+=(--set "$2"); shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --threads) threads=(--threads "$2"); shift 2 ;;
    --out) out=$2; shift 2 ;;
    --jax) jax=$2; shift 2 ;;
    *) schemes+=("$1"); shift ;;
  esac
done
[ ${#schemes[@]} -gt 0 ] || schemes=(learned sinusoidal rotary shortformer learned_offset)

train() {
  local scheme=$1 to=$out/$1
  mkdir -p "$to"
  local peers=()
  [ -z "$jax" ] || peers=(--set for_peers=true)
  echo "$scheme: training"
  "$locus" run --out "$to" "${threads[@]}" "${settings[@]}" "${peers[@]}" --set "scheme=$scheme" \
    examples/train_gpt.exp >"$to/printed.txt" 2>"$to/errors.txt" || { cat "$to/errors.txt" >&2; return 1; }
  grep "held-out loss" "$to/printed.txt"
  rm "$to/printed.txt" "$to/errors.txt"
}

for scheme in "${schemes[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  train "$scheme" &
done
failed=0
for job in $(jobs -p); do wait "$job" || failed=1; done
[ $failed -eq 0 ] || exit 1

[ -n "$jax" ] || exit 0
for scheme in "${schemes[@]}"; do
  "$jax" benches/peers/train_gpt_jax.py "$scheme" "$out/$scheme" examples/data/sotu.tokens.npy --json \
    >"$out/$scheme/jax.json"
  cat "$out/$scheme/jax.json"
done
