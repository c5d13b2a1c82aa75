//! Gradients against central differences, for every primitive with a derivative and everything that moves elements.
//!
//! The functions stand in `gradients/cases.txt`. Each is compiled for random sizes in 64 bits; its differences are
//! of fourth order, so that they are exact to about 1e-10 and a tolerance of 1e-6 can only be missed by a mistake.

mod common;

use common::differences::{binders, global, on_a_large_stack, record, write_differences};
use common::run;
use locus::session::EngineKind;
use std::fmt::Write;
use std::path::Path;

/// The largest difference admitted, as a share of the larger of 1 and the gradient.
const TOLERANCE: f64 = 1e-6;

/// Every program gives each case other sizes, and every other one another engine.
const ROUNDS: usize = 4;

/// What the body of a case may use. Values are spread so that no two of one program are close to a tie.
const HEADER: &str = r#"use std.nn
use std.linalg
use std.stats
axis pick = 3
axis other, part, both, rank, g
fn spread(n: int, low: float, high: float) -> float {
  let z = 0.6180339887498949 * float(n)
  low + (high - low) * (z - floor(z))
}
fn score<r>(y: f64[..r]) -> float { total(y * y) + 0.7 * total(y) }
fn early(s: float) -> float {
  if s > 0.2 { return s * s * s }
  s * 2.0
}
fn attend(q, k, v) {
  nn.attention_pattern[qpos, kpos](q @[b] k, nn.causal[qpos, kpos]()) @[kpos] v
}
"#;

struct Param {
    name: String,
    axes: Vec<String>,
    /// `x[*]`: the axes are chosen for each variant.
    any: bool,
    range: (f64, f64),
}

struct Case {
    /// The operations that it stands for, and what is special.
    title: String,
    params: Vec<Param>,
    body: String,
    /// The code of the refusal, if there must be none.
    refused: Option<String>,
}

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn cases() -> Vec<Case> {
    let text: String =
        source("tests/gradients/cases.txt").lines().filter(|l| !l.starts_with('#')).collect::<Vec<_>>().join("\n");
    text.split("\n== ").skip(1).map(case).collect()
}

fn case(text: &str) -> Case {
    let mut lines = text.lines();
    let title = lines.next().unwrap().to_string();
    let params = params(lines.next().unwrap());
    let body = lines.map(|line| format!("  {line}\n")).collect();
    let refused = title.split(", ").find(|word| word.starts_with("E0")).map(str::to_string);
    Case { title, params, body, refused }
}

/// `x[a, b] 0.5..2, y[b]`
fn params(line: &str) -> Vec<Param> {
    let mut found = Vec::new();
    for part in line.split(']').filter(|part| !part.trim().is_empty()) {
        let Some((before, axes)) = part.split_once('[') else {
            found.last_mut().map(|last: &mut Param| last.range = range(part)).unwrap();
            continue;
        };
        let (stated, name) = before.rsplit_once(", ").unwrap_or(("", before));
        if !stated.trim().is_empty() {
            found.last_mut().map(|last: &mut Param| last.range = range(stated)).unwrap();
        }
        let any = axes == "*";
        let axes = axes.split(", ").filter(|axis| !axis.is_empty() && !any).map(str::to_string).collect();
        found.push(Param { name: name.trim_matches([' ', ',']).to_string(), axes, any, range: (-2.0, 2.0) });
    }
    found
}

fn range(text: &str) -> (f64, f64) {
    let (low, high) = text.trim().split_once("..").unwrap_or_else(|| panic!("`{text}` is no range"));
    (low.parse().unwrap(), high.parse().unwrap())
}

impl Case {
    /// The axes of the parameters in each variant.
    fn variants(&self) -> Vec<Vec<Vec<String>>> {
        let axes = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        let all = |shapes: &[&[&str]]| shapes.iter().map(|shape| shape.iter().map(|s| axes(s)).collect()).collect();
        match self.params.iter().filter(|param| param.any).count() {
            0 => vec![self.params.iter().map(|param| param.axes.clone()).collect()],
            1 => all(&[&[""], &["a"], &["ab"], &["abc"]]),
            2 => all(&[
                &["", ""],
                &["a", "a"],
                &["ab", "ab"],
                &["ab", "b"],
                &["b", "ab"],
                &["", "ab"],
                &["ab", ""],
                &["ab", "bc"],
            ]),
            n => panic!("`{}`: no variants for {n} parameters", self.title),
        }
    }

    /// The program for one choice of axes and sizes.
    fn program(&self, shapes: &[Vec<String>], sizes: &[usize; 3]) -> String {
        let mut text = HEADER.to_string();
        for (name, size) in ["a", "b", "c"].iter().zip(sizes) {
            writeln!(text, "axis {name} = {size}").unwrap();
        }
        let names: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
        writeln!(text, "fn value_of({}) {{\n{}}}", names.join(", "), self.body).unwrap();
        let fields: Vec<String> = names.iter().map(|name| format!("p.{name}")).collect();
        writeln!(text, "fn loss(p) -> float {{ score(f64(value_of({}))) }}", fields.join(", ")).unwrap();
        let mut next = 3;
        for (param, shape) in self.params.iter().zip(shapes) {
            writeln!(text, "let {} = {}", param.name, formula(param, shape, sizes, &mut next)).unwrap();
        }
        writeln!(text, "let slopes = grad(loss)({})", record(&names, "", "")).unwrap();
        for (name, shape) in names.iter().zip(shapes) {
            write_differences(&mut text, &names, name, shape);
        }
        text
    }
}

/// The values of a parameter; `next` counts all values of a program.
fn formula(param: &Param, shape: &[String], sizes: &[usize; 3], next: &mut usize) -> String {
    let length = |axis: &str| sizes[usize::from(axis.as_bytes()[0] - b'a')];
    let mut place = next.to_string();
    let mut stride = 1;
    for axis in shape.iter().rev() {
        write!(place, " + {stride} * int(i_{axis})").unwrap();
        stride *= length(axis);
    }
    *next += stride;
    let (low, high) = param.range;
    let value = format!("spread({place}, {low:?}, {high:?})");
    if shape.is_empty() { value } else { format!("[{} => {value}]", binders(shape, "i")) }
}

/// Runs a program whose path ends in the case's number; gives what is wrong with it.
fn judge(case: &Case, shapes: &[Vec<String>], sizes: &[usize; 3], engine: EngineKind, path: &Path) -> Option<String> {
    let text = case.program(shapes, sizes);
    std::fs::write(path, &text).unwrap();
    let ran = run(path, engine, &[]);
    let told = |what: String| Some(format!("== {} {sizes:?} {shapes:?} ({}): {what}", case.title, engine.name()));
    match (&case.refused, &ran.fault) {
        (Some(code), Some(fault)) if fault.contains(code.as_str()) => return None,
        (Some(code), Some(fault)) => return told(format!("not {code}, but\n{fault}")),
        (Some(code), None) => return told(format!("not refused with {code}")),
        (None, Some(fault)) => return told(format!("\n{fault}")),
        (None, None) => {}
    }
    for param in &case.params {
        let slopes = global(&ran, &format!("g_{}", param.name));
        let differences = global(&ran, &format!("d_{}", param.name)).split_off(1);
        let close = |(g, d): (&f64, &f64)| (g - d).abs() <= TOLERANCE * g.abs().max(1.0);
        if slopes.len() != differences.len() || !slopes.iter().zip(&differences).all(close) {
            return told(format!("by {}: gradient {slopes:?}, differences {differences:?}\n{text}", param.name));
        }
    }
    None
}

/// Sizes from 1 to 5, of a fixed sequence.
fn sizes(number: usize, round: usize) -> [usize; 3] {
    let mut state = (number * 31 + round * 7 + 11) as u64;
    [0; 3].map(|_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        1 + (state >> 33) as usize % 5
    })
}

fn engine(round: usize) -> EngineKind {
    [EngineKind::Jit, EngineKind::Interp, EngineKind::InterpUnoptimised][round % 3]
}

#[test]
fn every_gradient_agrees_with_differences() {
    let work = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.exp");
        let mut faults = Vec::new();
        let mut programs = 0;
        for (number, case) in cases().iter().enumerate() {
            let variants = case.variants();
            let rounds = if variants.len() > 1 { 1 } else { ROUNDS };
            for (shift, shapes) in variants.iter().enumerate() {
                let judged =
                    |round: usize| judge(case, shapes, &sizes(number, shift + round), engine(shift + round), &path);
                faults.extend((0..rounds).filter_map(judged).next());
                programs += rounds;
            }
        }
        assert!(programs > 300, "only {programs} programs");
        faults
    };
    let faults = on_a_large_stack(work);
    assert!(faults.is_empty(), "{} cases failed:\n{}", faults.len(), faults.join("\n"));
}

/// What `stop` hides, differences see.
#[test]
fn the_comparison_can_fail() {
    let work = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.exp");
        let told = |body: &str| {
            let case = case(&format!("stop\nx[a, b]\n{body}"));
            judge(&case, &case.variants()[0], &[2, 3, 1], EngineKind::Jit, &path)
        };
        (told("x * x"), told("x * stop(x)"), told("x * (1.0 + 0.0001 * stop(x))"))
    };
    let (right, wrong, nearly) = on_a_large_stack(work);
    assert_eq!(right, None);
    assert!(wrong.is_some() && nearly.is_some());
}

/// (name, whether it has a vjp clause) of the primitives in `core.exp`.
fn primitives() -> Vec<(String, bool)> {
    let text = source("stdlib/core.exp");
    let mut found = Vec::new();
    for part in text.split("\npub intrinsic fn ").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let item = part.split("\n\n").next().unwrap_or("");
        found.push((name, item.contains("\n  vjp(")));
    }
    found
}

/// Primitives that give no float of a float: nothing can be differentiated.
const NO_FLOATS: &[&str] = &["div", "dense_ids", "read_index", "read_f32", "tensor", "tensor_index"];

#[test]
fn every_primitive_has_a_case() {
    let cases = cases();
    let titles = |name: &str| {
        let named = |case: &&Case| case.title.split([' ', ',']).any(|word| word == name);
        cases.iter().filter(named).map(|case| case.refused.is_some()).collect::<Vec<_>>()
    };
    let primitives = primitives();
    assert!(primitives.len() >= 40, "only {} primitives were found", primitives.len());
    for (name, has_vjp) in primitives {
        let found = titles(&name);
        if has_vjp {
            assert!(found.contains(&false), "`{name}` has a derivative, and no case in tests/gradients/cases.txt");
        } else {
            assert!(
                !found.is_empty() || NO_FLOATS.contains(&name.as_str()),
                "`{name}` has no case in tests/gradients/cases.txt"
            );
        }
    }
}
