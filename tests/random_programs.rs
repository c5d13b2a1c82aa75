//! Random well-typed programs on every engine: machine code and the oracle leave the same bits and the same errors, and
//! the passes change nothing beyond rounding.
//!
//! `LOCUS_PROGRAMS=100000` tries more, `LOCUS_SEED=7` begins elsewhere; a failure is made small and printed with its seed.

#[path = "common/engines.rs"]
mod engines;
#[path = "common/generate/mod.rs"]
mod generate;
#[path = "common/sensitive.rs"]
mod sensitive;

use engines::{Prepared, bits_differ, far};
use generate::{Marks, Program, Statement};
use locus::session::EngineKind;
use sensitive::{Sensitive, sensitive};
use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// In every test; all of them with `LOCUS_FULL=1`.
const PROGRAMS: u64 = 240;
const ALL_PROGRAMS: u64 = 100_000;
/// Programs that cannot bear rounding, or that are about infinities: so many of them, and one in a thousand.
const SENSITIVE: u64 = 3;
/// Failures that are made small and shown.
const SHOWN: usize = 6;

/// What is wrong with a program, by kind: a smaller program must fail in the same way.
#[derive(Clone, Debug, PartialEq)]
struct Wrong {
    kind: &'static str,
    /// The code of a refusal.
    code: String,
    what: String,
}

impl Wrong {
    fn like(&self, other: &Wrong) -> bool {
        self.kind == other.kind && self.code == other.code
    }
}

/// How a program went that every engine agrees on.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Went {
    Whole,
    Stopped,
    Sensitive(Sensitive),
}

fn judge(text: &str) -> Result<Went, Wrong> {
    let wrong = |kind: &'static str, what: String| Wrong { kind, code: String::new(), what };
    let ready = catch_unwind(|| Prepared::new(text));
    let ready = ready.map_err(|_| wrong("the compiler panics", String::new()))?.map_err(|what| {
        let code = what.split(['[', ']']).nth(1).unwrap_or_default().to_string();
        Wrong { kind: "the checker refuses it", code, what }
    })?;
    let names = ready.names();
    let [jit, oracle, before] = EngineKind::ALL.map(|kind| ready.run(kind));
    if let Some(what) = bits_differ(&names, &jit, &oracle) {
        return Err(wrong("machine code and the oracle differ", what));
    }
    match far(&names, &oracle, &before) {
        Some(far) => match sensitive(text, &far) {
            Some(to) => Ok(Went::Sensitive(to)),
            None => Err(wrong("the passes change it", far.what)),
        },
        None => Ok(if jit.fault.is_none() { Went::Whole } else { Went::Stopped }),
    }
}

/// Statements are left out, or bound to the plainest value, as long as the program still fails in the same way.
fn smaller(program: &Program, wrong: &Wrong) -> String {
    let fails = |statements: &[Statement]| judge(&program.text_of(statements)).is_err_and(|now| now.like(wrong));
    let mut left = program.statements.clone();
    loop {
        let before = left.iter().map(|statement| statement.text.len()).sum::<usize>();
        for at in (0..left.len()).rev() {
            let mut fewer = left.clone();
            fewer.remove(at);
            if fails(&fewer) {
                left = fewer;
                continue;
            }
            let mut simple = left.clone();
            if let Some(plain) = simple[at].plain.take() {
                simple[at].text = plain;
                if fails(&simple) {
                    left = simple;
                }
            }
        }
        if left.iter().map(|statement| statement.text.len()).sum::<usize>() >= before {
            return program.text_of(&left);
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// On threads of their own: an engine may run on a larger stack while its caller waits, and threads of the pool that all
/// wait so would leave nobody to do its work.
fn on_every_processor(seeds: Range<u64>, try_one: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(seeds.start);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| seeds.contains(seed));
    std::thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|| std::iter::from_fn(take).for_each(&try_one));
        }
    });
}

#[test]
fn every_engine_makes_the_same_of_random_programs() {
    let usual = if std::env::var_os("LOCUS_FULL").is_some() { ALL_PROGRAMS } else { PROGRAMS };
    let (count, first) = (number("LOCUS_PROGRAMS", usual), number("LOCUS_SEED", 0));
    let (started, failed) = (Instant::now(), Mutex::new(Vec::<(u64, Wrong)>::new()));
    let marks = Mutex::new((Marks::new(), 0u64, 0u64, Vec::<(u64, Sensitive)>::new()));
    on_every_processor(first..first + count, |seed| {
        let program = Program::from_seed(seed);
        let outcome = judge(&program.text());
        let mut all = marks.lock().unwrap();
        for (mark, times) in program.statements.iter().flat_map(|statement| &statement.marks) {
            *all.0.entry(mark).or_default() += times;
        }
        all.1 += program.statements.len() as u64;
        match outcome {
            Ok(Went::Sensitive(to)) => all.3.push((seed, to)),
            Ok(went) => all.2 += u64::from(went == Went::Whole),
            Err(wrong) => failed.lock().unwrap().push((seed, wrong)),
        }
    });
    let time = started.elapsed().as_secs_f64();
    let (marks, statements, whole, mut sensitive) = marks.into_inner().unwrap();
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|(seed, _)| *seed);
    for (mark, times) in &marks {
        println!("{times:>8} {mark}");
    }
    println!(
        "{count} programs, {statements} statements, {whole} without an error, {:.0} a second",
        count as f64 / time
    );
    sensitive.sort_by_key(|(seed, _)| *seed);
    println!("{} that passes change as rounding or infinities do: {sensitive:?}", sensitive.len());
    let mut told = String::new();
    for (seed, wrong) in failed.iter().take(SHOWN) {
        let small = smaller(&Program::from_seed(*seed), wrong);
        let what = judge(&small).err().map_or_else(|| wrong.what.clone(), |wrong| wrong.what);
        told += &format!("\n---- seed {seed}: {}\n{what}\n{small}", wrong.kind);
    }
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "{} of {count} programs fail: {seeds:?}{told}", failed.len());
    assert!(sensitive.len() as u64 <= SENSITIVE + count / 1000, "too many are sensitive: {sensitive:?}");
    if count >= PROGRAMS {
        let missing: Vec<&str> =
            generate::CONSTRUCTS.iter().copied().filter(|name| !marks.contains_key(name)).collect();
        assert!(missing.is_empty(), "the generator never wrote: {missing:?}");
        assert!(whole * 2 > count, "only {whole} programs run to their end");
    }
}

/// The comparison itself: it sees one bit, another error and another print, and takes no difference for rounding.
#[test]
fn a_difference_is_seen() {
    let left = |x: &str, n: &str, printed: &str| {
        let text = format!("let x = {x}\nlet n = {n}\nprint(\"{printed}\")\n");
        Prepared::new(&text).unwrap_or_else(|told| panic!("{told}")).run(EngineKind::Interp)
    };
    let names = ["x", "n"];
    let one = left("sqrt(0.01)", "div(7, 2)", "p");
    let bits = |x, n, printed| bits_differ(&names, &one, &left(x, n, printed)).unwrap_or_default();
    assert_eq!(bits("sqrt(0.01)", "div(7, 2)", "p"), "");
    assert!(bits("sqrt(0.01) + 5e-18", "div(7, 2)", "p").is_empty());
    assert!(bits("sqrt(0.01) + 2e-17", "div(7, 2)", "p").contains("`x`"));
    assert!(bits("sqrt(0.01)", "div(8, 2)", "p").contains("`n`"));
    assert!(bits("sqrt(0.01)", "div(7, 2)", "q").contains("print"));
    assert!(bits("sqrt(0.01)", "div(7, int(sin(0.0)))", "p").contains("errors"));
    let size = |x| far(&names, &one, &left(x, "div(7, 2)", "p")).map_or(String::new(), |far| far.what);
    assert_eq!(size("sqrt(0.01) + 9e-7"), "");
    assert!(size("sqrt(0.01) + 2e-6").contains("`x`"));
    assert!(size("log(-sqrt(0.01))").contains("`x`"));
    // What nobody reads may fail before the passes, never after them.
    let failed = left("sqrt(0.01)", "div(7, int(sin(0.0)))", "p");
    assert!(far(&names, &one, &failed).is_none());
    assert!(far(&names, &failed, &one).is_some_and(|far| far.what.contains("errors")));
}

/// A program that fails is made small.
#[test]
fn what_does_not_matter_is_left_out() {
    let mut program = Program::from_seed(3);
    let whole = program.statements.len();
    let wrong = Statement { text: "let wrong = 1 + \"z\"".to_string(), plain: None, marks: Marks::new() };
    program.statements.insert(whole / 2, wrong);
    let told = judge(&program.text()).expect_err("a program with a fault");
    let small = smaller(&program, &told);
    assert_eq!(small, "let wrong = 1 + \"z\"\n", "{told:?}");
}
