//! Random sessions: what a person may type who tries things out, with slips. Every print begins with a mark of its own.

use std::fmt::Write;
use std::path::Path;

/// A small generator of our own: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % below as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.next(all.len())]
    }
}

const VALUES: &[&str] = &["x", "y", "z"];
const FUNCTIONS: &[&str] = &["f", "g", "h"];

/// What a person knows of what was accepted. Values are ints, closures of one int, or records `{ n: int }`.
#[derive(Clone, Default)]
struct Known {
    values: Vec<&'static str>,
    closures: Vec<&'static str>,
    functions: Vec<&'static str>,
    types: bool,
}

/// An expression of type int.
fn int(random: &mut Random, known: &Known, deep: usize) -> String {
    let pick = if deep == 0 { random.next(3) } else { random.next(7) };
    match pick {
        1 | 2 if !known.values.is_empty() => random.of(&known.values).to_string(),
        3 | 4 if !known.functions.is_empty() => {
            format!("{}({})", random.of(&known.functions), int(random, known, deep - 1))
        }
        5 if !known.closures.is_empty() => format!("{}({})", random.of(&known.closures), int(random, known, deep - 1)),
        6 => format!("({} + {})", int(random, known, deep - 1), int(random, known, deep - 1)),
        _ => format!("{}", random.next(10)),
    }
}

pub fn session(seed: u64, folder: &Path) -> String {
    let mut random = Random(seed.wrapping_mul(0x9e3779b97f4a7c15) + 12345);
    let (mut text, mut known, mut before) = (String::new(), Known::default(), Vec::new());
    for number in 0..10 + random.next(15) {
        let mut next = known.clone();
        let entry = match random.next(14) {
            0..=2 => {
                let name = random.of(VALUES);
                let value = int(&mut random, &known, 2);
                forget(&mut next, name);
                next.values.push(name);
                format!("let {name} = {value}")
            }
            3..=5 => function(&mut random, &known, &mut next),
            6 if random.next(3) == 0 => {
                // A name goes from one kind to another, and a record, a length and a loop are part of it.
                let value = int(&mut random, &known, 1);
                before.extend([known.clone(), known.clone(), known.clone(), known.clone(), known.clone()]);
                writeln!(text, "let w{number} = {value}\naxis side{number} = 2 + {}", random.next(3)).unwrap();
                writeln!(text, "let t{number} = [i in side{number} => float(w{number})]").unwrap();
                writeln!(text, "fn w{number}(s: str) -> str {{ \"{{s}} {{total(t{number})}}\" }}").unwrap();
                writeln!(text, "axis side{number} = 7").unwrap();
                let said = format!("total([i in side{number} => 1.0]) + total(t{number})");
                format!("print(\"p{number} {{w{number}(\"a\")}} {{{said}}}\")")
            }
            7 if random.next(3) == 0 => {
                let value = int(&mut random, &known, 1);
                before.extend([known.clone(), known.clone()]);
                writeln!(
                    text,
                    "let mut s{number} = 0; let {{ b{number}, c{number} }} = {{ b{number}: 1, c{number}: {value} }}"
                )
                .unwrap();
                writeln!(text, "for i in 0..3 {{ s{number} = s{number} + c{number} }}").unwrap();
                format!("print(\"p{number} {{s{number}}}\")")
            }
            6 => {
                let name = random.of(&["k", "l"]);
                let body = int(&mut random, &known, 2);
                forget(&mut next, name);
                next.closures.push(name);
                format!("let {name} = fn(m) => m + {body}")
            }
            7 => format!("print(\"p{number} {{{}}}\")", int(&mut random, &known, 2)),
            8 => int(&mut random, &known, 2),
            9 => {
                // The second item fails; the first and the last are of names that nothing else uses.
                writeln!(text, "let a{number} = 1; let b{number} = div(1, 0); let c{number} = 2").unwrap();
                before.push(known.clone());
                continue;
            }
            10 => {
                writeln!(text, "{}", random.of(&["let x = div(1, 0)", "nothing_has_this_name", "let x = (1 +* 2)"]))
                    .unwrap();
                continue;
            }
            11 => {
                let name = format!("part{number}.exp");
                let body = format!(
                    "# A file.\nlet own{number} = 5\nprint(\"l{number} {{{}}}\")\n",
                    int(&mut random, &known, 1)
                );
                std::fs::write(folder.join(&name), body).unwrap();
                format!(":load {name}")
            }
            12 => {
                // The third is refused, because the second would not check any more.
                writeln!(text, "fn u{number}() -> int {{ 1 }}\nfn v{number}() -> int {{ u{number}() }}").unwrap();
                writeln!(text, "fn u{number}() -> str {{ \"one\" }}").unwrap();
                before.extend([known.clone(), known.clone()]);
                continue;
            }
            _ if before.is_empty() => continue,
            _ => {
                writeln!(text, ":undo").unwrap();
                known = before.pop().unwrap();
                continue;
            }
        };
        writeln!(text, "{entry}").unwrap();
        before.push(std::mem::replace(&mut known, next));
    }
    let names = known.values.iter().map(|name| format!("{{{name}}}"));
    let calls = known.functions.iter().chain(&known.closures).map(|name| format!("{{{name}(3)}}"));
    let all: Vec<String> = names.chain(calls).collect();
    writeln!(text, "print(\"end {}\")", all.join(" ")).unwrap();
    text
}

fn forget(known: &mut Known, name: &str) {
    known.values.retain(|other| *other != name);
    known.closures.retain(|other| *other != name);
    known.functions.retain(|other| *other != name);
}

/// A function may call those before it in the alphabet, so that none calls itself.
fn function(random: &mut Random, known: &Known, next: &mut Known) -> String {
    let name = random.of(FUNCTIONS);
    let callable = Known {
        functions: known.functions.iter().copied().filter(|other| *other < name).collect(),
        closures: Vec::new(),
        ..known.clone()
    };
    let body = int(random, &callable, 2);
    forget(next, name);
    next.functions.push(name);
    if random.next(4) == 0 && !known.types {
        next.types = true;
        return format!(
            "type Pair = {{ n: int }}\nfn {name}(m: int) -> int {{ let p: Pair = {{ n: m }}; p.n + {body} }}"
        );
    }
    match random.next(3) {
        0 => format!("fn {name}(m) {{ m * 2 + {body} }}"),
        1 => format!("fn {name}(m: int) -> int {{ if m < 1 {{ {body} }} else {{ m + {name}(0) }} }}"),
        _ => format!("fn {name}(m: int) -> int {{\n  m + {body}\n}}"),
    }
}
