//! The parser on data files: `tests/syntax/programs` must parse, `trees` shows what was understood, `errors` shows
//! the messages. `UPDATE=1 cargo test --release --test syntax` writes the expected outputs anew.

#[path = "syntax/show.rs"]
mod show;

use locus::base::render::render_all;
use locus::base::span::{FileId, Sources, Span};
use locus::syntax::ast::Program;
use locus::syntax::parse::{parse_entry, parse_program};
use locus::syntax::scan::{Completeness, completeness};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax").join(folder);
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "exp"));
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The tree of a text without errors.
fn tree(name: &str, text: &str) -> Program {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (program, errors) = parse_program(file, text);
    assert!(errors.is_empty(), "{name}:\n{text}\n{}", render_all(&errors, &sources, false));
    program
}

/// What is shown of a tree parses to the same tree.
fn check_shown(name: &str, text: &str) -> String {
    let shown = show::program(&tree(name, text));
    assert_eq!(show::program(&tree("shown", &shown)), shown, "{name}");
    shown
}

fn compare(path: &Path, found: &str) {
    let expected_path = path.with_extension("txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&expected_path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
    assert!(expected == found, "{} differs; found:\n{found}", expected_path.display());
}

#[test]
fn programs_parse() {
    for path in files("programs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let shown = check_shown(&path.display().to_string(), &text);
        assert!(shown.lines().count() > 15);
    }
}

/// The programs of the repository itself, as deep as folders go.
#[test]
fn the_library_and_the_examples_parse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("stdlib"), root.join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "exp") {
                check_shown(&path.display().to_string(), &std::fs::read_to_string(&path).unwrap());
            }
        }
    }
}

#[test]
fn trees() {
    for path in files("trees") {
        let text = std::fs::read_to_string(&path).unwrap();
        compare(&path, &check_shown(&path.display().to_string(), &text));
    }
}

#[test]
fn errors() {
    for path in files("errors") {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut sources = Sources::default();
        let file = sources.add(path.file_name().unwrap().to_string_lossy(), text.as_str());
        let (_, errors) = parse_program(file, &text);
        compare(&path, &render_all(&errors, &sources, false));
    }
}

/// Faulty items do not take the items around them along.
#[test]
fn other_items_survive() {
    let text = "let a = 1\nlet b = (2\nlet c = 3 4\nfn f(x) {\n  x]\n}\nlet d = \"5\nlet e = 6\n";
    let (program, errors) = parse_program(FileId(0), text);
    assert_eq!(show::program(&program), "let a = 1\nlet e = 6\n");
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), ["E002", "E001", "E002", "E002"]);
}

#[test]
fn spans_are_those_of_the_file() {
    let text = "# comment\nlet a = 1 # one\n\nlet bb = f(a,  # two\n  a  ) |> g   # three\n";
    let mut sources = Sources::default();
    let file = sources.add("x", text);
    let (program, _) = parse_entry(file, text);
    let shown: Vec<&str> = program.items.iter().map(|item| sources.slice(item.span)).collect();
    assert_eq!(shown, ["let a = 1", "let bb = f(a,  # two\n  a  ) |> g"]);
    let mut spans = Vec::new();
    each_span(&format!("{program:?}"), &mut spans);
    for (start, end) in spans {
        let slice = sources.slice(Span::new(file, start, end));
        assert_eq!(slice.trim(), slice);
        assert!(!slice.is_empty());
    }
}

/// Every `start: 1, end: 2` of a debug print.
fn each_span(print: &str, found: &mut Vec<(usize, usize)>) {
    for part in print.split("start: ").skip(1) {
        let mut numbers = part.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        let mut next = || numbers.next().unwrap().parse().unwrap();
        found.push((next(), next()));
    }
}

#[test]
fn the_prompt_knows_what_is_complete() {
    use Completeness::*;
    let cases = [
        ("", Complete),
        ("# only a comment", Complete),
        ("let x = 1", Complete),
        ("let x = 1 +", Incomplete),
        ("let x =\n", Incomplete),
        ("x |>", Incomplete),
        ("f(1,", Incomplete),
        ("fn f(x) {\n  let y = [1,\n", Incomplete),
        ("fn f(x) {\nlet y = {\n", Incomplete),
        ("fn f(x) {\n x\n}", Complete),
        ("let c = a and", Incomplete),
        ("x @[d]", Incomplete),
        ("x[d]", Complete),
        ("64..", Complete),
        ("let s = \"open", Invalid),
        ("f(1]", Invalid),
        ("f(1))", Invalid),
        ("let t: list<int>", Complete),
    ];
    for (text, expected) in cases {
        assert_eq!(completeness(text), expected, "{text}");
    }
}

/// Nesting ends in a message, never in an overflow, and takes no more than time in proportion.
#[test]
fn deep_nesting_is_refused() {
    let shapes = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("f(", "1", ")"),
        ("{a: ", "1", "}"),
        ("fn() => {", "1", "}"),
        ("f({", "1", "})"),
        ("fn() => ", "1", ""),
        ("capture m(", "1", ") {a = b}"),
        ("fit {a: ", "1", "}"),
        ("x[a: ", "1", "]"),
        ("if x {", "1", "}"),
        ("match x { 1 => ", "1", "}"),
        ("[p in q => ", "1", "]"),
        ("\"{", "1", "}\""),
        ("-", "1", ""),
        ("not ", "1", ""),
        ("if x {1} else ", "{1}", ""),
        ("2^", "1", ""),
        ("1+", "1", ""),
        ("f |> ", "g", ""),
        ("", "x", ".y"),
        ("", "f", "()"),
        ("{ let a = ", "1", "}"),
    ];
    for (open, middle, close) in shapes {
        let text = |n: usize| format!("let x = {}{middle}{}", open.repeat(n), close.repeat(n));
        let (program, errors) = parse_program(FileId(0), &text(60));
        assert_eq!((program.items.len(), errors.len()), (1, 0), "{open}: {errors:?}");
        for n in [250, 20_000] {
            let (_, errors) = parse_program(FileId(0), &text(n));
            assert_eq!(errors.first().map(|error| error.code), Some("E004"), "{open} {n}");
        }
    }
    // Types nest without expressions.
    let (_, errors) = parse_program(FileId(0), &format!("type T = {}int{}", "list<".repeat(300), ">".repeat(300)));
    assert_eq!(errors.first().map(|error| error.code), Some("E004"));
    let (_, errors) = parse_program(FileId(0), &format!("type T = {}int", "fn() -> ".repeat(300)));
    assert_eq!(errors.first().map(|error| error.code), Some("E004"));
}

/// A fault at the bottom of nested blocks costs no more than the nesting.
#[test]
fn faults_do_not_multiply() {
    for (open, close) in
        [("fn() => { f(", ")}"), ("f({ let x = ", "})"), ("capture m(", ") {a = b}"), ("{a: fn() => {", "}}")]
    {
        let text = format!("let x = {}1 1{}", open.repeat(60), close.repeat(60));
        let started = std::time::Instant::now();
        let (_, errors) = parse_program(FileId(0), &text);
        assert_eq!(errors.len(), 1);
        assert!(started.elapsed().as_secs() < 5, "{open}");
    }
}

/// Any text: no panic, spans on characters, renderable messages, and either an item or an error for each piece.
fn check_any(text: &str) {
    let mut sources = Sources::default();
    let file = sources.add("any.exp", text);
    let (program, errors) = parse_program(file, text);
    for item in &program.items {
        assert!(text.get(item.span.start as usize..item.span.end as usize).is_some());
    }
    for error in &errors {
        let span = error.primary.as_ref().map(|label| label.span).unwrap_or_default();
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{error:?}");
        assert!(!error.message.is_empty());
    }
    render_all(&errors, &sources, false);
    completeness(text);
}

/// Texts made of the words and signs of the language, which get further into the parser than random characters.
fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "let ",
        "mut ",
        "fn ",
        "x",
        "f",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        " ",
        "\n",
        ",",
        ":",
        "=",
        "==",
        "=>",
        "->",
        "|>",
        "1",
        "2.5",
        "\"",
        "{{",
        "}}",
        "\\",
        "#",
        "##",
        "+",
        "-",
        "+-",
        "*",
        "**",
        "/",
        "^",
        "..",
        "..=",
        "@[",
        "~",
        " in ",
        " and ",
        "not ",
        "if ",
        "else ",
        "for ",
        "while ",
        "match ",
        "return ",
        "axis ",
        "use ",
        "type ",
        "pub ",
        "fit ",
        "plot ",
        "capture ",
        "expect ",
        "input ",
        "experiment ",
        "site ",
        "intrinsic ",
        "vjp",
        "true",
        ".",
        ";",
        "<",
        ">",
        "_",
        "'",
        "é",
        "±",
        "≈",
        "\u{a0}",
        "\r\n",
        "elif ",
        "lambda ",
        "1e",
        "!",
        "&&",
        "?",
        "|",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
        check_any(&text);
    }

    #[test]
    fn any_words_are_parsed_or_refused(text in soup()) {
        check_any(&text);
    }

    /// A program with one piece changed: most of it is right, and the fault can be anywhere.
    #[test]
    fn damaged_programs_are_parsed_or_refused(which in 0usize..6, at in 0usize..4000, cut in 0usize..6, insert in soup()) {
        let path = &files("programs")[which];
        let text = std::fs::read_to_string(path).unwrap();
        let start = text.floor_char_boundary(at);
        let end = text.floor_char_boundary(at + cut);
        check_any(&format!("{}{}", &text[..start], &text[end..]));
        check_any(&format!("{}{insert}{}", &text[..start], &text[end..]));
    }
}
