//! The examples of `docs/errors`: each wrong program gets the code of its page, each repair runs.
//!
//! Blocks are marked `exp wrong` (does not check), `exp fails` (checks, and fails while it runs), `exp right`; with
//! `not-run` added, a block is only read by people, because it needs files or is not a whole program.

use std::fs;
use std::path::{Path, PathBuf};

use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Failure, Output, Session, Settings};

struct Block {
    page: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut pages: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let mut found = Vec::new();
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        let page = path.file_stem().unwrap().to_string_lossy().into_owned();
        for part in text.split("```exp ").skip(1) {
            let (kind, rest) = part.split_once('\n').unwrap();
            let text = rest.split("```").next().unwrap().to_string();
            found.push(Block { page: page.clone(), kind: kind.trim().to_string(), text });
        }
    }
    assert!(found.len() > 60, "only {} blocks were found", found.len());
    found
}

/// The codes of what went wrong: before running, and while running.
fn outcome(text: &str) -> (Vec<String>, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let settings = Settings { folder: folder.clone(), ..Settings::default() };
    let mut session =
        Session::new(Box::new(DiskLoader::new(&folder)), settings, Output::buffer(&BufferWorld::default()));
    let codes =
        |failure: &Failure| failure.diagnostics().iter().map(|d| format!("{}: {}", d.code, d.message)).collect();
    match session.enter("page.exp", text) {
        Ok(_) => (Vec::new(), Vec::new()),
        Err(failure @ Failure::Check(_)) => (codes(&failure), Vec::new()),
        Err(failure) => (Vec::new(), codes(&failure)),
    }
}

fn judge(block: &Block) -> Option<String> {
    let (before, during) = outcome(&block.text);
    let all = [before.clone(), during.clone()].concat().join("; ");
    let mine = |found: &[String]| found.iter().any(|code| code.starts_with(&block.page));
    let good = match block.kind.as_str() {
        "wrong" => mine(&before),
        "fails" => mine(&during),
        "right" => before.is_empty() && during.is_empty(),
        other => return Some(format!("{}: unknown mark `{other}`", block.page)),
    };
    (!good).then(|| format!("{} ({}): got [{all}] from\n{}", block.page, block.kind, block.text))
}

#[test]
fn examples_do_what_their_pages_say() {
    let work =
        || blocks().iter().filter(|block| !block.kind.ends_with("not-run")).filter_map(judge).collect::<Vec<_>>();
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap();
    let faults = thread.join().unwrap();
    assert!(faults.is_empty(), "{} blocks are wrong:\n{}", faults.len(), faults.join("\n"));
}
