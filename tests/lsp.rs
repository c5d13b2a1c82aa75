//! The language server as an editor meets it: the real binary, spoken to over pipes.
//!
//! `lsp/*.txt` hold conversations: what is asked (`-- `, with a text below where one is needed) and what is answered
//! (`>> `). `UPDATE=1` rewrites the answers. A place is written as a piece of the text with `^` at the cursor.

#[path = "lsp/client.rs"]
mod client;
#[path = "lsp/talk.rs"]
mod talk;

use client::Client;
use locus::base::diag::{Diagnostic, Severity};
use locus::session::editor::places::Lines;
use locus::session::editor::texts::Texts;
use locus::session::editor::{Findings, analyse, glance};
use locus::session::load::DiskLoader;
use locus::session::world::BufferWorld;
use locus::session::{Output, Session, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn full() -> bool {
    std::env::var_os("LOCUS_FULL").is_some()
}

#[test]
fn conversations_go_as_they_are_written() {
    let mut faults = Vec::new();
    let mut asked = 0;
    for path in talk::conversations() {
        let before = std::fs::read_to_string(&path).unwrap();
        let after = talk::held(&before);
        asked += before.matches("\n-- ").count();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &after).unwrap();
        } else if let Some((old, new)) = before.lines().zip(after.lines()).find(|(old, new)| old != new) {
            faults.push(format!("{}:\n  stated   {old}\n  answered {new}", path.display()));
        } else if before != after {
            faults.push(format!("{}: more or fewer answers than are stated", path.display()));
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    assert!(asked > 60, "only {asked} questions were asked");
}

/// What `locus check` finds: a session of its own for each text.
fn found(text: &str) -> Vec<Value> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let settings = Settings { folder: root(), ..Settings::default() };
    let mut session =
        Session::new(Box::new(DiskLoader::new(&root())), settings, Output::buffer(&BufferWorld::default()));
    let outcome = session.prepare("it.exp", text);
    let mut all: Vec<Diagnostic> = std::mem::take(&mut session.checker.warnings);
    all.extend(outcome.err().iter().flat_map(|failure| failure.diagnostics()).cloned());
    let lines = Lines::new(text);
    let place = |offset: u32| {
        let place = lines.place(offset as usize);
        json!([place.line, place.column])
    };
    all.iter()
        .map(|one| {
            let span = one.primary.as_ref().map(|label| label.span).unwrap_or_default();
            let severity = if one.severity == Severity::Error { 1 } else { 2 };
            json!([
                severity,
                one.code,
                place(span.start),
                place(span.end.max(span.start)),
                one.message,
                one.labels.len()
            ])
        })
        .collect()
}

/// The same of what the server published.
fn told(published: &Value) -> Vec<Value> {
    let place = |at: &Value| json!([at["line"], at["character"]]);
    let all = published["diagnostics"].as_array().unwrap();
    all.iter()
        .map(|one| {
            let message = one["message"].as_str().unwrap().lines().next().unwrap();
            let labels = one["relatedInformation"].as_array().map_or(0, Vec::len);
            json!([
                one["severity"],
                one["code"],
                place(&one["range"]["start"]),
                place(&one["range"]["end"]),
                message,
                labels
            ])
        })
        .collect()
}

/// Small numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

const PIECES: &[&str] = &[
    "x",
    "y",
    "pos",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "\n",
    " ",
    "\u{1d6fd}",
    "\u{e9}",
    "let ",
    "axis ",
    "mean[pos](x)",
    "+",
    "# ",
    "\"",
    "fn f(a) { a }\n",
    "let z = x + 1.0\n",
    "use std.stats: mse\n",
    ".",
    "|> ",
    "\r\n",
    "1.5",
    "in ",
    "=>",
    "expect { y == 1 }\n",
    "grad(fn(a) => a * a)(2.0)",
];

const START: &str = "use std.stats: mse\n\naxis pos = 4\naxis d = 3\n\nlet x = [i in pos, j in d => float(int(i) * int(j))]\nlet y = mean[pos](x)\n\nfn centred<a, r>(x: f64[a, ..r]) -> f64[a, ..r] {\n  x - mean[a](x)\n}\n\nlet z = centred[d](x) + y\nprint(\"{z} {mse(z, x)}\")\n";

#[test]
fn after_any_edit_the_problems_are_those_of_the_command() {
    let edits = if full() { 2_000 } else { 150 };
    let mut client = Client::started();
    let uri = client.uri("it.exp");
    let mut text = START.to_string();
    client.open(&uri, &text);
    assert_eq!(told(&client.problems(&uri, 1)), found(&text));
    let mut dice = Dice(7);
    let mut wrong = 0;
    for version in 2..edits + 2 {
        // Now and then the program is whole again, so that what comes is not only noise on noise.
        let (start, end, new) = if version % 9 == 0 {
            (0, text.len(), START.to_string())
        } else {
            let boundary = |at: usize| (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap();
            let start = boundary(dice.below(text.len() + 1));
            let end = boundary((start + dice.below(2) * dice.below(12)).min(text.len())).max(start);
            (start, end, PIECES[dice.below(PIECES.len())].to_string())
        };
        let lines = Lines::new(&text);
        let place = |at: usize| {
            let place = lines.place(at);
            json!({ "line": place.line, "character": place.column })
        };
        let range = json!({ "start": place(start), "end": place(end) });
        // A place between the two letters of one line end does not exist for an editor.
        let (start, end) = (lines.offset(lines.place(start)), lines.offset(lines.place(end)));
        client.change(&uri, version, json!([{ "range": range, "text": new }]));
        text.replace_range(start..end, &new);
        let (told, found) = (told(&client.problems(&uri, version)), found(&text));
        wrong += usize::from(!found.is_empty());
        assert_eq!(told, found, "after edit {version}, of this text:\n{text}");
    }
    assert!(wrong as i64 > edits / 3 && (wrong as i64) < edits, "{wrong} of {edits} texts have problems");
    client.end();
}

#[test]
fn a_text_with_many_errors_and_one_of_four_megabytes_are_judged() {
    let mut client = Client::started();
    let uri = client.uri("many.exp");
    let many: String = (0..100).map(|number| format!("let x{number} = no_such_name\n")).collect();
    client.open(&uri, &many);
    assert_eq!(client.problems(&uri, 1)["diagnostics"].as_array().unwrap().len(), 100);
    // Comments, and a fault behind them.
    let line = format!("# {}\n", "a long line of a comment ".repeat(40));
    let mut long = line.repeat((4 << 20) / line.len() - 1);
    long.push_str("let x = no_such_name\n");
    let start = Instant::now();
    client.change(&uri, 2, json!([{ "text": long }]));
    let told = client.problems(&uri, 2);
    assert_eq!(told["diagnostics"].as_array().unwrap().len(), 1, "{told}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    long.push_str(&line.repeat(3));
    client.change(&uri, 3, json!([{ "text": long }]));
    let told = client.problems(&uri, 3);
    assert!(told["diagnostics"][0]["message"].as_str().unwrap().contains("a script has at most"), "{told}");
    client.end();
}

#[test]
fn addresses_that_are_no_text_and_files_that_were_never_saved_are_judged() {
    let mut client = Client::started();
    for uri in ["file:///tmp/%FF%fe.exp", "untitled:Untitled-1", "file://elsewhere/a.exp"] {
        client.open(uri, "let x = 1 +\n");
        assert_eq!(client.problems(uri, 1)["diagnostics"].as_array().unwrap().len(), 1, "{uri}");
        client.change(uri, 2, json!([{ "text": "let x = 1\n" }]));
        assert_eq!(client.problems(uri, 2)["diagnostics"], json!([]), "{uri}");
    }
    client.end();
}

#[test]
fn what_ends_a_conversation_decides_the_exit_code() {
    // (what is sent, the code, what is said)
    let mut polite = Client::started();
    assert_eq!(polite.ask("shutdown", Value::Null), Value::Null);
    polite.tell("exit", Value::Null);
    assert_eq!(polite.ended(), (0, String::new()));
    let mut rude = Client::started();
    rude.tell("exit", Value::Null);
    assert_eq!(rude.ended(), (1, String::new()));
    let mut gone = Client::started();
    gone.hang_up();
    let (code, said) = gone.ended();
    assert!(code == 1 && said.contains("standard input ended"), "{code}: {said}");
    for garbage in ["Content-Length: 5\r\n\r\n{{{{{", "hello\r\n\r\n", "Content-Length: x\r\n\r\n"] {
        let mut broken = Client::started();
        broken.send_bytes(garbage.as_bytes());
        broken.hang_up();
        let (code, said) = broken.ended();
        assert!(code == 1 && said.contains("no message of the language server protocol"), "{code}: {said}");
        assert!(said.lines().count() <= 3, "{said}");
    }
}

#[test]
fn a_request_that_is_called_off_while_it_waits_is_answered_so() {
    let mut client = Client::started();
    let uri = client.uri("a.exp");
    client.open(&uri, START);
    client.problems(&uri, 1);
    let at = json!({ "textDocument": { "uri": uri }, "position": { "line": 6, "character": 4 } });
    // Long enough that the last message is there while the first is worked on.
    let more: String = (0..2000).map(|n| format!("let more_{n} = {n}.0 + y[d: 0]\n")).collect();
    let text = format!("{START}\n{more}");
    let change = json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": [{ "text": text }] });
    client.send_together(&[
        json!({ "method": "textDocument/didChange", "params": change }),
        json!({ "id": 900, "method": "textDocument/hover", "params": at }),
        json!({ "id": 901, "method": "textDocument/hover", "params": at }),
        json!({ "method": "$/cancelRequest", "params": { "id": 901 } }),
    ]);
    assert!(client.answer(900)["result"]["contents"]["value"].as_str().unwrap().contains("let y: f64[d]"));
    assert_eq!(client.answer(901)["error"]["code"], json!(-32800));
    client.end();
}

/// Prints the figures; holds them to the goal only where the machine is known to be idle and the build to be fast.
#[test]
fn problems_come_soon() {
    // The largest programs, one of them little more than calls of the library, and a module of it.
    let names =
        ["docs/results/pairs.exp", "examples/positional_variance.exp", "examples/four_schemes.exp", "stdlib/qk.exp"];
    let slow: Vec<String> = names.iter().filter_map(|name| median_of_problems(name)).collect();
    assert!(!full() || slow.is_empty(), "{slow:?}");
}

/// How long the server takes to say that a name is unknown, after it is typed into a file of 300 lines, and that nothing is
/// wrong any more, after it is gone; what is said if that is too long.
fn median_of_problems(name: &str) -> Option<String> {
    let path = root().join(name);
    let mut text = std::fs::read_to_string(&path).unwrap();
    while text.lines().count() < 300 {
        text.push_str("let again_ = 1\n".replace('_', &text.lines().count().to_string()).as_str());
    }
    let line = text.lines().take(150).collect::<Vec<_>>().iter().rposition(|line| line.is_empty()).unwrap();
    let (start, end) = (json!({ "line": line, "character": 0 }), json!({ "line": line, "character": 20 }));
    let typed = json!([{ "range": { "start": start, "end": start }, "text": "let oops = nothing_1" }]);
    let gone = json!([{ "range": { "start": start, "end": end }, "text": "" }]);
    let mut client = Client::started();
    let uri = format!("file://{}", path.display());
    client.open(&uri, &text);
    assert_eq!(client.problems(&uri, 1)["diagnostics"], json!([]));
    let (mut times, mut whole) = (Vec::new(), Vec::new());
    for version in 2..if full() { 42 } else { 6 } {
        let wrong = version % 2 == 0;
        let asked = Instant::now();
        client.change(&uri, version, if wrong { typed.clone() } else { gone.clone() });
        let told = client.next_problems(&uri);
        times.push(asked.elapsed());
        assert_eq!(told["diagnostics"].as_array().unwrap().len(), usize::from(wrong), "{told}");
        if told["version"] != json!(version) {
            assert_eq!(client.problems(&uri, version)["diagnostics"], told["diagnostics"]);
        }
        whole.push(asked.elapsed());
    }
    client.end();
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (soon, whole) = (median(times), median(whole));
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let said =
        format!("{name}, {} lines: {:.1} ms, {:.1} ms with the whole", text.lines().count(), ms(soon), ms(whole));
    eprintln!("problems of {said}");
    (soon > Duration::from_millis(50)).then_some(said)
}

/// What is said soon is a part of what is said in the end: a whole reading that finds nothing more finds all of it.
#[test]
fn a_glance_finds_a_part_of_the_problems() {
    let texts = Texts::default();
    let of = |found: &Findings| -> BTreeSet<(String, u32, u32)> {
        let place = |one: &Diagnostic| one.primary.as_ref().map_or((0, 0), |label| (label.span.start, label.span.end));
        found.problems.iter().map(|one| (one.code.to_string(), place(one).0, place(one).1)).collect()
    };
    let (mut same, mut deeper) = (0, 0);
    for folder in ["tests/wrong", "tests/run", "tests/mutants", "docs/library", "examples"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let Some(text) = std::fs::read_to_string(&path).ok().filter(|_| path.extension() == Some("exp".as_ref()))
            else {
                continue;
            };
            for text in [1, 2, 5].map(|of| misspelt(&text, of)).into_iter().chain([text.clone()]) {
                let (soon, whole) =
                    (of(&glance(&texts, Some(&path), &text)), of(&analyse(&texts, Some(&path), &text).found));
                // What follows from a fault that only a body has, or a function read alone, is not reported by itself.
                if whole.is_subset(&soon) {
                    assert_eq!(soon, whole, "{}:\n{text}", path.display());
                    same += 1;
                } else {
                    deeper += 1;
                }
            }
        }
    }
    println!("{same} alike, {deeper} with more in the end");
    assert!(same > 900 && deeper > 3, "{same} alike, {deeper} with more in the end");
}

/// The text with a letter more in one of its words: the one in the middle, a fifth from the end, ...
fn misspelt(text: &str, of: usize) -> String {
    let starts = |(at, letter): (usize, char)| {
        let before = text[..at].chars().next_back();
        letter.is_ascii_lowercase() && before.is_none_or(|before| !before.is_alphanumeric() && before != '_')
    };
    let words: Vec<usize> = text.char_indices().filter(|&place| starts(place)).map(|(at, _)| at).collect();
    let at = words.get(words.len() - 1 - words.len() / of.max(1) / 2).copied().unwrap_or(0);
    format!("{}z{}", &text[..at], &text[at..])
}

fn editor_file(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("editors/vscode").join(name)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The words that a file of the grammar of TextMate colors, by the name of the pattern.
fn words_of(grammar: &Value, name: &str) -> Vec<String> {
    let pattern = grammar["repository"][name]["match"].as_str().unwrap();
    let inner = pattern.split_once('(').unwrap().1.split_once(')').unwrap().0.trim_start_matches("?:");
    let mut words: Vec<String> = inner.split('|').map(str::to_string).collect();
    words.sort();
    words
}

/// The words of `grammar/exp.pest`: those that are reserved, and those that mean something only where an item begins.
fn words_of_the_language() -> (Vec<String>, Vec<String>) {
    let pest = std::fs::read_to_string(root().join("grammar/exp.pest")).unwrap();
    let quoted = |text: &str| text.split('"').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    let rule = pest.split_once("\nkeyword = @{").unwrap().1.split_once('}').unwrap().0;
    let mut reserved = quoted(rule);
    let mut others: Vec<String> = pest
        .split("kw_")
        .filter(|part| part.contains(" = @{ \""))
        .filter_map(|part| {
            let (name, rest) = part.split_once(" = @{ \"")?;
            rest.starts_with(name.trim()).then(|| name.trim().to_string())
        })
        .filter(|word| !reserved.contains(word))
        .collect();
    reserved.sort();
    others.sort();
    (reserved, others)
}

#[test]
fn the_colors_of_vs_code_know_the_words_of_the_language() {
    let grammar = editor_file("syntaxes/exp.tmLanguage.json");
    let (reserved, others) = words_of_the_language();
    assert!(reserved.len() >= 19 && others.len() >= 11, "{reserved:?} {others:?}");
    let mut stated = words_of(&grammar, "reserved");
    stated.extend(words_of(&grammar, "constants"));
    stated.sort();
    assert_eq!(stated, reserved);
    assert_eq!(words_of(&grammar, "items"), others);
    let mut forms: Vec<String> = locus::check::FORMS.iter().map(|word| word.to_string()).collect();
    forms.sort();
    assert_eq!(words_of(&grammar, "forms"), forms);
}

#[test]
fn the_extension_names_files_that_exist() {
    let package = editor_file("package.json");
    let folder = root().join("editors/vscode");
    let contributes = &package["contributes"];
    let mut named = vec![package["main"].clone(), contributes["grammars"][0]["path"].clone()];
    named.push(contributes["languages"][0]["configuration"].clone());
    for name in named {
        let name = name.as_str().unwrap();
        assert!(folder.join(Path::new(name)).is_file(), "{name}");
    }
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(contributes["languages"][0]["extensions"], json!([".exp"]));
    assert!(package["dependencies"]["vscode-languageclient"].is_string());
    editor_file("language-configuration.json");
}
