//! A dictionary is trained without any array of batch x features: neither pre-activations nor dense codes nor their
//! gradients exist. One test in a process of its own, since it asks for the largest array of the process.

mod common;

use common::run;
use locus::rt::profile::{take_allocated, watch};
use locus::session::EngineKind;
use std::path::Path;

/// 768 tokens in a batch, 16,384 features: the smallest array over both would be one of bools.
const BATCH_BY_FEATURES: u64 = 768 * 16_384;

fn largest(program: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.exp");
    std::fs::write(&path, program).unwrap();
    watch();
    take_allocated();
    let ran = run(Path::new(&path), EngineKind::Jit, &[]);
    assert_eq!((ran.fault, ran.failures), (None, Vec::new()));
    take_allocated().1
}

fn program(loss: &str, after: &str) -> String {
    format!(
        r#"experiment "train" {{ locus: "0.1", seed: 2 }}
use std.random: normal
use std.sae
use std.optim: adam
axis dmodel = 16
axis feature = 16384
axis sample = 1024
let data = normal[sample, dmodel](root, "x")
fit dictionary {{
  data:    {{ x: data }}
  over:    sample
  init:    fn(key) => sae.init_at[dmodel, feature](key, data)
  {loss}
  optim:   adam(lr: 1e-3, beta2: 0.99, clip: 1.0)
  steps:   4
  batch:   768
  project: sae.project
  after:   sae.unit_decoder
}}
{after}"#
    )
}

#[test]
fn no_array_of_batch_by_features_is_made() {
    let topk = "loss: fn(p, b) => sae.topk_loss(b.x, p, k: 8)";
    let found = largest(&program(topk, ""));
    assert!(found > 0, "nothing was counted");
    assert!(found < BATCH_BY_FEATURES, "TopK: an array of {found} bytes");
    let auxk = "state: sae.state[feature]()\n  loss: fn(p, b, s, step) => sae.auxk_loss(b.x, p, s, k: 8, k_aux: 16, dead_after: 1000)";
    let found = largest(&program(auxk, ""));
    assert!(found < BATCH_BY_FEATURES, "AuxK: an array of {found} bytes");
    // What is asked of the trained dictionary afterwards.
    let judge = "print(\"{sae.evaluate[sample](data, sae.coder(dictionary, 8)).l0}\")";
    let found = largest(&program(topk, judge));
    assert!(found < BATCH_BY_FEATURES, "evaluate: an array of {found} bytes");
    // The test can fail: this asks for the dense codes.
    let dense = "print(\"{total(exp(sae.encode(data, dictionary, k: 8)))}\")";
    assert!(largest(&program(topk, dense)) >= BATCH_BY_FEATURES);
}
