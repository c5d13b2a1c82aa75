#!/usr/bin/env bash
# Generates the parser and holds it against the tree: the corpus, every `.exp` file that parses, and every one that must not. Needs the
# `tree-sitter` command, a C compiler, and a built `locus`. `check.sh --keep` leaves the generated parser as it is.
set -euo pipefail
cd "$(dirname "$0")"
root="$(cd ../.. && pwd)"
locus="${CARGO_TARGET_DIR:-$root/target}/release/locus"
if ! command -v tree-sitter > /dev/null; then
  echo "the command tree-sitter is missing: install it with npm, cargo or a package of your system" >&2
  exit 2
fi
export NO_COLOR=1

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
[ "${1:-}" = --keep ] || tree-sitter generate
tree-sitter test > "$work/test" 2>&1 || { cat "$work/test" >&2; exit 1; }
tree-sitter build --output "$work/exp.so" .

find "$root" -name '*.exp' -not -path '*/target/*' -not -path '*/node_modules/*' | sort > "$work/files"
# A line for each file that has an ERROR or MISSING node.
tree-sitter parse --lib-path "$work/exp.so" --lang-name exp --quiet --paths "$work/files" > "$work/parsed" 2> /dev/null || true
grep -E 'ERROR|MISSING' "$work/parsed" | sed -E 's/[[:space:]]+Parse:.*//' | sort > "$work/refused" || true

wrong=0
while IFS= read -r file; do
  # Codes of faults of syntax; other codes are about what a text means.
  told="$("$locus" check "$file" 2>&1 || true)"
  if ! grep -qE '^error\[E00[123]\]' <<< "$told"; then
    echo "does not parse: ${file#"$root"/}" >&2
    wrong=1
  fi
done < "$work/refused"
for file in "$root"/tests/syntax/errors/*.exp; do
  if ! grep -qxF "$file" "$work/refused"; then
    echo "parses, and must not: ${file#"$root"/}" >&2
    wrong=1
  fi
done
count() { wc -l < "$1" | tr -d ' '; }
echo "$(($(count "$work/files") - $(count "$work/refused"))) programs parse, $(count "$work/refused") are refused"
exit "$wrong"
