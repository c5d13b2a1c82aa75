//! One seed gives one dictionary: the same file in two runs, with 1 and with 2 threads, on both engines, and whatever else a program draws.

mod common;

use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{EngineKind, Output, Session, Settings};
use std::path::Path;

/// BatchTopK with AuxK, a start at the data, averaged parameters: order, start and data are drawn.
const PROGRAM: &str = r#"
experiment "one seed" { locus: "0.1", seed: SEED }

use std.sae
use std.sae.batch_topk
use std.sae.save
use std.optim: adam, averaged
use std.random: chance, unit_rows

axis d = 24, planted = 32, feature = 48, sample = 4096, out

EXTRA
let x = f32(chance[sample, planted](root, "on", 0.05)) @[planted] unit_rows[planted, d](root, "planted")

fit trained {
  data:    { x: x }
  over:    sample
  init:    fn(key) => sae.init_at[d, feature](key, x)
  loss:    fn(p, b, s, step) => batch_topk.loss(b.x, p, s, k: 1.5, k_aux: 8, dead_after: 4_000)
  state:   batch_topk.state[feature]()
  optim:   averaged(adam(lr: 3e-3, decay: 0.2), keep: 0.99)
  steps:   120
  batch:   256
  project: sae.project
  after:   sae.unit_decoder
  finish:  fn(p, s) => { p: p, threshold: s.threshold }
}

save.saelens("dictionary", save.threshold[d, feature, out](trained.p, trained.threshold))
"#;

/// The files' names and hashes.
fn files(seed: &str, extra: &str, engine: EngineKind, threads: usize) -> Vec<(String, String)> {
    let text = PROGRAM.replace("SEED", seed).replace("EXTRA", extra);
    let work = move || {
        let world = BufferWorld::default();
        let settings = Settings { engine, ..Settings::default() };
        let loader = DiskLoader::new(Path::new("."));
        let mut session = Session::new(Box::new(loader), settings, Output::buffer(&world));
        if let Err(failure) = session.enter("seed.exp", &text) {
            panic!("{:?}", failure.diagnostics());
        }
        let journal = world.journal.lock();
        journal.written.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect()
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(64 << 20).build().unwrap().install(work)
}

#[test]
fn one_seed_one_dictionary() {
    let first = files("7", "", EngineKind::Jit, 1);
    assert_eq!(first.len(), 2);
    assert_eq!(first, files("7", "", EngineKind::Jit, 1), "another run");
    assert_eq!(first, files("7", "", EngineKind::Jit, 2), "two threads");
    assert_eq!(first, files("7", "", EngineKind::Interp, 2), "the interpreter");
    let drawing =
        "use std.random: normal\nlet noise = normal[sample, planted](root, \"noise\")\nprint(\"{total(noise):.1}\")";
    assert_eq!(first, files("7", drawing, EngineKind::Jit, 1), "a draw elsewhere");
    assert_ne!(
        first,
        files("8", "use std.random: normal\nlet a = normal[d](root, \"a\")\nprint(a)", EngineKind::Jit, 1),
        "another seed"
    );
}
