//! How many wrong axes the checker refuses: four programs, each with one axis changed, dropped, or swapped with
//! another, drawn at random from a fixed seed.
//!
//! A mutant whose IR is that of the original is no fault and is not counted. `UPDATE=1` writes the figures to
//! `docs/wrong-programs.md`; `MUTANTS=2000` draws more of them and shows each survivor.

#[path = "mutants/make.rs"]
mod make;
#[path = "mutants/sites.rs"]
mod sites;

use locus::check::{Checker, Options};
use locus::session::load::DiskLoader;
use locus::syntax::parse::parse_program;
use make::{Fault, Mutant};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const PROGRAMS: [&str; 4] = [
    "tests/mutants/positional_variance.exp",
    "tests/mutants/offset_pair_kq.exp",
    "tests/mutants/relative_qk_dictionary.exp",
    "examples/positional_variance.exp",
];
const SEED: u64 = 20_26;
const COUNTED: usize = 200;
/// At least this share of the counted mutants must be refused, in percent.
const NEEDED: usize = 95;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The code and message of the first fault, or the IR of the program.
fn check(folder: &Path, text: &str) -> Result<String, String> {
    let mut checker = Checker::new(Box::new(DiskLoader::new(folder)), Options::default());
    let file = checker.add_source("program.exp", text);
    let (program, faults) = parse_program(file, text);
    if let Some(fault) = faults.first() {
        return Err(format!("{} {}", fault.code, fault.message));
    }
    match checker.check_program(file, &program) {
        Ok(_) => Ok(locus::ir::print::module(&checker.module)),
        Err(faults) => Err(faults.first().map(|fault| format!("{} {}", fault.code, fault.message)).unwrap_or_default()),
    }
}

/// SplitMix64: enough for a draw, and the same everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

struct Judged {
    program: &'static str,
    mutant: Mutant,
    /// The code of what refused it; `None` if it survived.
    refused: Option<String>,
}

struct Subject {
    name: &'static str,
    folder: PathBuf,
    ir: String,
    mutants: Vec<(Fault, Vec<Vec<Mutant>>)>,
}

fn subject(name: &'static str) -> Subject {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let folder = path.parent().unwrap().to_path_buf();
    let ir = check(&folder, &text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    Subject { name, folder, ir, mutants: make::all(&text) }
}

/// Draws until `wanted` mutants are counted. One in two names another axis, one in four each drops or swaps.
fn judge(wanted: usize) -> (Vec<Judged>, usize) {
    let subjects: Vec<Subject> = PROGRAMS.iter().map(|name| subject(name)).collect();
    let mut draw = Draw(SEED);
    let mut seen = BTreeSet::new();
    let (mut judged, mut equal) = (Vec::new(), 0);
    for _ in 0..wanted * 20 {
        if judged.len() == wanted {
            break;
        }
        let subject = &subjects[draw.below(subjects.len())];
        let (_, sites) = &subject.mutants[[0, 0, 1, 2][draw.below(4)]];
        let site = &sites[draw.below(sites.len())];
        let mutant = &site[draw.below(site.len())];
        if !seen.insert((subject.name, mutant.text.clone())) {
            continue;
        }
        match check(&subject.folder, &mutant.text) {
            Ok(ir) if ir == subject.ir => equal += 1,
            Ok(_) => judged.push(Judged { program: subject.name, mutant: mutant.clone(), refused: None }),
            Err(why) => judged.push(Judged { program: subject.name, mutant: mutant.clone(), refused: Some(why) }),
        }
    }
    (judged, equal)
}

/// Functions that give back the shape they get, whichever axis they are told.
fn keeps_shape(place: &str) -> bool {
    ["softmax", "keep_top", "sort", "cumsum", "log_softmax", "causal", "expand"]
        .iter()
        .any(|name| place.contains(&format!("`{name}`")))
}

fn table(judged: &[Judged], equal: usize) -> String {
    let mut out = String::new();
    let refused = |of: &mut dyn Iterator<Item = &Judged>| {
        let all: Vec<&Judged> = of.collect();
        let stopped = all.iter().filter(|judged| judged.refused.is_some()).count();
        format!("{} | {} | {:.1}%", all.len(), stopped, 100.0 * stopped as f64 / all.len().max(1) as f64)
    };
    let _ = writeln!(out, "| program or fault | counted | refused | share |\n| --- | ---: | ---: | ---: |");
    for name in PROGRAMS {
        let _ = writeln!(out, "| `{name}` | {} |", refused(&mut judged.iter().filter(|judged| judged.program == name)));
    }
    for fault in Fault::ALL {
        let mine = &mut judged.iter().filter(|judged| judged.mutant.fault == fault);
        let _ = writeln!(out, "| {} | {} |", fault.name(), refused(mine));
    }
    let _ = writeln!(out, "| **all** | {} |", refused(&mut judged.iter()));
    let _ = writeln!(out, "\n{equal} more mutants had the IR of the original and are not counted.");
    out
}

fn survivors(judged: &[Judged]) -> String {
    let mut groups: BTreeMap<(bool, &str, &str), Vec<&Judged>> = BTreeMap::new();
    for survivor in judged.iter().filter(|judged| judged.refused.is_none()) {
        let key = (keeps_shape(&survivor.mutant.place), survivor.mutant.fault.name(), survivor.mutant.place.as_str());
        groups.entry(key).or_default().push(survivor);
    }
    let mut out = String::new();
    for ((shape, fault, place), members) in groups {
        let note = if shape { " (the call keeps the shape)" } else { "" };
        let _ = writeln!(out, "### {fault}, in {place}: {}{note}\n\n```text", members.len());
        for survivor in members {
            let _ = writeln!(out, "{}:{}", survivor.program, survivor.mutant.line);
            let _ = writeln!(out, "  - {}\n  + {}", survivor.mutant.before, survivor.mutant.after);
        }
        out.push_str("```\n\n");
    }
    out
}

fn page(judged: &[Judged], equal: usize) -> String {
    format!("{INTRODUCTION}\n{}\n## What was not refused\n\n{}{END}", table(judged, equal), survivors(judged))
}

const INTRODUCTION: &str = "\
# How many wrong axes are refused

Four programs were each given one wrong axis at random: a name replaced by that of another axis of the file, an axis
dropped from brackets or from a type, or two axes swapped where order counts. This page is written by
`UPDATE=1 cargo test --release --test mutants`; the draw has a fixed seed, and the test fails below 95%. It says
nothing about faults of other kinds.
";

const END: &str = "\
What survives is right by every type: a function that takes any axis was told another axis that is there, and what
comes out has the axes that the rest of the program needs. Names cannot tell those apart; an `expect` can.
";

#[test]
fn wrong_axes_are_refused() {
    let wanted = std::env::var("MUTANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(COUNTED);
    let work = move || judge(wanted);
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(work).unwrap();
    let (judged, equal) = thread.join().unwrap();
    assert!(judged.len() == wanted, "only {} mutants were counted", judged.len());
    let text = page(&judged, equal);
    println!("{text}");
    let refused = judged.iter().filter(|judged| judged.refused.is_some()).count();
    assert!(refused * 100 >= judged.len() * NEEDED, "only {refused} of {} mutants are refused", judged.len());
    if wanted != COUNTED {
        return;
    }
    let beside = path("docs/wrong-programs.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&beside, &text).unwrap();
    }
    let written = std::fs::read_to_string(&beside).unwrap_or_default();
    assert!(written == text, "docs/wrong-programs.md is not up to date: run with UPDATE=1");
}
