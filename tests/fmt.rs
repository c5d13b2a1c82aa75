//! `locus fmt`: the layouts of `tests/fmt`, and that nothing but the layout ever changes: every program of the tree, and
//! programs with blanks, line ends and comments put in at random, keep their trees and their IR, and what is laid out
//! once stays. `UPDATE=1 cargo test --release --test fmt` writes the expected layouts anew.

#[path = "common/generate/mod.rs"]
mod generate;
#[path = "fmt/loosen.rs"]
mod loosen;
#[allow(dead_code)]
#[path = "syntax/show.rs"]
mod show;

use locus::base::render::render_all;
use locus::base::span::{FileId, Sources};
use locus::ir::print;
use locus::session::load::DiskLoader;
use locus::session::{Output, Session, Settings};
use locus::syntax::format::format;
use locus::syntax::parse::parse_program;
use loosen::{Random, loosen};
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Ran, Stdio};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The `.exp` files below these folders, hidden ones aside, that parse.
fn programs(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        let files = locus::session::layout::files(&root().join(folder)).unwrap_or_else(|fault| panic!("{fault:?}"));
        for path in files {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if parse_program(FileId(0), &text).1.is_empty() {
                found.push((path.display().to_string(), text));
            }
        }
    }
    found
}

/// The blocks of program text in the documents.
fn blocks() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/tutorial"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let page = fs::read_to_string(&path).unwrap();
            for block in page.split("\n```exp").skip(1) {
                let (mark, rest) = block.split_once('\n').unwrap();
                let text = rest.split("\n```").next().unwrap();
                if ["", "-fragment"].contains(&mark) {
                    found.push((path.display().to_string(), format!("{text}\n")));
                }
            }
        }
    }
    assert!(found.len() > 30, "only {} blocks", found.len());
    found
}

fn laid_out(name: &str, text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    format(file, text).unwrap_or_else(|errors| panic!("{name}:\n{text}\n{}", render_all(&errors, &sources, false)))
}

fn tree(name: &str, text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (program, errors) = parse_program(file, text);
    assert!(errors.is_empty(), "{name}:\n{text}\n{}", render_all(&errors, &sources, false));
    show::program(&program)
}

/// The same tree, and once is enough.
fn check(name: &str, text: &str) -> String {
    let once = laid_out(name, text);
    assert!(tree(name, &once) == tree(name, text), "{name}: another tree\n{text}\n---\n{once}");
    let twice = laid_out(name, &once);
    assert!(twice == once, "{name}: not the same twice\n{once}\n---\n{twice}");
    assert!(!once.lines().any(|line| line.ends_with(char::is_whitespace)), "{name}: blanks at the end of a line");
    assert!(
        !once.contains("\n\n\n") && !once.starts_with('\n'),
        "{name}: two empty lines in a row, or one at the start"
    );
    once
}

#[test]
fn layouts() {
    let mut seen = 0;
    for (path, text) in programs(&["tests/fmt"]) {
        let expected_path = Path::new(&path).with_extension("txt");
        let found = check(&path, &text);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected_path, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        assert!(expected == found, "{} differs; found:\n{found}", expected_path.display());
        seen += 1;
    }
    let files = fs::read_dir(root().join("tests/fmt")).unwrap().map(|entry| entry.unwrap().path());
    let inputs = files.filter(|path| path.extension().is_some_and(|extension| extension == "exp")).count();
    assert!(seen == inputs && seen >= 5, "{seen} of {inputs} inputs parse");
}

#[test]
fn every_program_of_the_tree_keeps_its_tree() {
    let found = programs(&["stdlib", "examples", "tests", "docs", "benches", "src"]);
    assert!(found.len() > 400, "only {} programs", found.len());
    for (name, text) in found.into_iter().chain(blocks()) {
        check(&name, &text);
    }
}

/// The style is that of the library and the examples: of their lines only those change that are too wide, and what stands
/// in brackets with them.
#[test]
fn the_library_changes_only_where_lines_are_too_wide() {
    for (name, text) in programs(&["stdlib", "examples"]) {
        let narrow = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.chars().count() <= 120);
            lines.map(|line| line.trim_end_matches(',').to_string()).collect()
        };
        let found = narrow(&laid_out(&name, &text));
        for line in narrow(&text) {
            assert!(found.contains(&line), "{name}: this line is laid out in another way\n{line}");
        }
    }
}

/// The IR of a program, or none if it does not check.
fn ir(folder: &Path, text: &str) -> Option<String> {
    let settings = Settings { folder: folder.to_path_buf(), ..Settings::default() };
    let output = Output::buffer(&Default::default());
    let mut session = Session::new(Box::new(DiskLoader::new(folder)), settings, output);
    session.prepare("program.exp", text).ok()?;
    Some(print::module(&session.checker.module).lines().map(without_layout).collect())
}

/// An expectation is shown to people as it was written, so its text is in the IR; its layout does not count.
fn without_layout(line: &str) -> String {
    let Some((local, text)) = line.split_once(": str = \"") else { return format!("{line}\n") };
    let text = text.replace("\\r", "");
    let lines = text.split("\\n").map(|line| line.split('#').next().unwrap_or(line));
    let text: String =
        lines.collect::<String>().chars().filter(|c| !c.is_whitespace() && ![',', ';'].contains(c)).collect();
    format!("{local}: {text}\n")
}

/// Where a program stands says nothing to the compiler: the IR is the same after spaces and line ends were put in
/// anywhere, and after the formatter took them out.
#[test]
fn layout_does_not_reach_the_ir() {
    let folders: &[&str] =
        if is_full() { &["examples", "tests/run", "tests/worlds", "docs/results"] } else { &["tests/run"] };
    let (mut random, mut compared) = (Random::new(1), 0);
    for (name, text) in programs(folders) {
        let folder = Path::new(&name).parent().unwrap();
        let Some(before) = ir(folder, &text) else { continue };
        let loose = loosen(&text, &mut random);
        assert!(ir(folder, &laid_out(&name, &loose)).as_ref() == Some(&before), "{name}: another IR");
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} programs");
}

fn is_full() -> bool {
    std::env::var_os("LOCUS_FULL").is_some()
}

/// Programs of the tree with blanks, line ends and comments at random: 300, or 10,000 under `LOCUS_FULL=1`.
#[test]
fn any_layout_of_a_program_becomes_one_with_the_same_tree() {
    let mut sources =
        programs(&["tests/run", "tests/syntax", "tests/mutants", "tests/gradients", "tests/wrong", "examples"]);
    sources.extend(blocks());
    sources.retain(|(_, text)| is_full() || text.len() < 3_000);
    let (mut random, mut disturbed) = (Random::new(0x5eed), 0);
    let layouts = if is_full() { 10_000 } else { 300 };
    for number in 0..layouts {
        let (name, text) = &sources[random.below(sources.len())];
        let name = format!("{name}, layout {number}");
        let loose = loosen(text, &mut random);
        let expected = tree(&name, text);
        assert!(tree(&name, &loose) == expected, "{name}: the test itself changed the tree\n{loose}");
        let found = check(&name, &loose);
        assert!(tree(&name, &found) == expected, "{name}");
        disturbed += usize::from(loose.lines().count() > text.lines().count() + 5);
        let notes = |text: &str| text.matches("# note (").count();
        assert_eq!(notes(&found), notes(&loose), "{name}: a comment is lost\n{loose}\n---\n{found}");
    }
    assert!(disturbed * 4 > layouts, "only {disturbed} of {layouts} were disturbed by much");
}

/// Programs that nobody wrote, as they are and with their layouts disturbed: 100, or 10,000 under `LOCUS_FULL=1`.
#[test]
fn generated_programs_keep_their_ir() {
    let programs = if is_full() { 10_000 } else { 100 };
    let folder = root();
    (0..programs).into_par_iter().for_each(|seed| {
        let (name, text) = (format!("program {seed}"), generate::Program::from_seed(seed).text());
        let before = ir(&folder, &text).unwrap_or_else(|| panic!("{name} does not check:\n{text}"));
        let found = check(&name, &text);
        assert!(ir(&folder, &found).as_ref() == Some(&before), "{name}: another IR\n{text}\n---\n{found}");
        let loose = loosen(&text, &mut Random::new(seed));
        let found = check(&name, &loose);
        assert!(tree(&name, &found) == tree(&name, &text), "{name}: another tree\n{loose}\n---\n{found}");
        // A third of them: to compile takes far longer than to lay out.
        if seed % 3 == 0 {
            assert!(ir(&folder, &found).as_ref() == Some(&before), "{name}: another IR\n{loose}\n---\n{found}");
        }
    });
    println!("{programs} programs");
}

#[test]
fn a_text_with_errors_is_not_touched() {
    for text in ["let x = (1", "let  x = 1 1", "fn f(x) { x ]", "let a = \"{x\"", "let a = 99999999999999999999"] {
        let errors = format(FileId(0), text).expect_err(text);
        assert!(errors.iter().all(|error| error.code.starts_with('E')), "{text}: {errors:?}");
    }
    assert_eq!(laid_out("empty", ""), "");
    assert_eq!(laid_out("blank", " \n\t\n"), "");
    assert_eq!(laid_out("mark", "\u{feff}let  x=1"), "let x = 1\n");
    assert_eq!(laid_out("windows", "let x=1\r\n\r\n\r\nx # y\r\n"), "let x = 1\n\nx # y\n");
}

fn locus(folder: &Path, args: &[&str]) -> Ran {
    Command::new(env!("CARGO_BIN_EXE_locus")).args(args).current_dir(folder).output().unwrap()
}

fn said(ran: &Ran) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn files_are_laid_out_in_place() {
    let place =
        folder(&[("a.exp", "let x=1\n"), ("b.exp", "let x = 1\n"), ("deep/c.exp", "x|>f"), ("notes.md", "x=1")]);
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    let (code, out, err) = said(&locus(place.path(), &["fmt", "--check", "."]));
    assert_eq!((code, err.as_str()), (Some(1), "2 of 3 files would change\n"));
    assert_eq!(out, "./a.exp: would change\n./deep/c.exp: would change\n");
    let (code, out, _) = said(&locus(place.path(), &["fmt", "--diff", "a.exp"]));
    assert_eq!((code, out.as_str()), (Some(0), "--- a.exp\n+++ a.exp\n@@ -1,1 +1,1 @@\n-let x=1\n+let x = 1\n"));
    assert_eq!(said(&locus(place.path(), &["fmt", "--check", "--diff", "a.exp"])).0, Some(1));
    assert_eq!(read("a.exp"), "let x=1\n");
    let (code, out, err) = said(&locus(place.path(), &["fmt", ".", "./a.exp"]));
    assert_eq!((code, out.as_str()), (Some(0), "./a.exp: changed\n./deep/c.exp: changed\n"));
    assert_eq!(err, "2 of 3 files changed\n");
    assert_eq!(
        (read("a.exp"), read("deep/c.exp"), read("notes.md")),
        ("let x = 1\n".into(), "x |> f\n".into(), "x=1".into())
    );
    let (code, out, err) = said(&locus(place.path(), &["fmt", "--check", "."]));
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", "0 of 3 files would change\n"));
}

#[test]
fn a_folder_means_its_own_visible_files() {
    let outside = folder(&[("far.exp", "let  x=1\n")]);
    let place = folder(&[(".hidden/a.exp", "x=1"), ("b.exp", "let  x=1\n"), ("real/c.exp", "let  x=1\n")]);
    std::os::unix::fs::symlink(outside.path(), place.path().join("linked")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("far.exp"), place.path().join("link.exp")).unwrap();
    let (code, out, _) = said(&locus(place.path(), &["fmt", "."]));
    assert_eq!((code, out.as_str()), (Some(0), "./b.exp: changed\n./real/c.exp: changed\n"));
    assert_eq!(fs::read_to_string(outside.path().join("far.exp")).unwrap(), "let  x=1\n");
    // A link that is named is meant: it stays one, and what it leads to changes.
    assert_eq!(said(&locus(place.path(), &["fmt", "link.exp"])).0, Some(0));
    assert!(fs::symlink_metadata(place.path().join("link.exp")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(outside.path().join("far.exp")).unwrap(), "let x = 1\n");
}

#[test]
fn what_cannot_be_laid_out_is_left_and_said() {
    let place =
        folder(&[("wrong.exp", "let x=(1\n"), ("good.exp", "let x=1\n"), ("data.json", "[1,2]"), ("empty.exp", "")]);
    fs::write(place.path().join("binary.exp"), b"\xff\xfe").unwrap();
    let (code, out, err) = said(&locus(place.path(), &["fmt", "wrong.exp", "good.exp", "empty.exp", "binary.exp"]));
    assert_eq!((code, out.as_str()), (Some(2), "good.exp: changed\n"));
    assert!(err.contains("error[E002]") && err.contains("wrong.exp:1:7") && err.contains("not UTF-8"), "{err}");
    assert_eq!(fs::read_to_string(place.path().join("wrong.exp")).unwrap(), "let x=(1\n");
    for (name, why) in [("data.json", "does not end in `.exp`"), ("none.exp", "no such file")] {
        let (code, _, err) = said(&locus(place.path(), &["fmt", name]));
        assert_eq!(code, Some(2), "{name}");
        assert!(err.contains(why), "{name}: {err}");
    }
    assert_eq!(fs::read_to_string(place.path().join("data.json")).unwrap(), "[1,2]");
    assert_eq!(said(&locus(folder(&[]).path(), &["fmt", "."])).0, Some(2));
    assert_eq!(said(&locus(place.path(), &["fmt"])).0, Some(2));
    assert_eq!(said(&locus(place.path(), &["fmt", "-", "good.exp"])).0, Some(2));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let through = |args: &[&str], text: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_locus"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        said(&child.wait_with_output().unwrap())
    };
    assert_eq!(through(&["fmt", "-"], "let  x=1"), (Some(0), "let x = 1\n".to_string(), String::new()));
    assert_eq!(through(&["fmt", "-"], ""), (Some(0), String::new(), String::new()));
    assert_eq!(through(&["fmt", "--check", "-"], "let  x=1").0, Some(1));
    assert_eq!(through(&["fmt", "--check", "-"], "let x = 1\n"), (Some(0), String::new(), String::new()));
    let (code, out, err) = through(&["fmt", "-"], "let  x=(1");
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("standard input:1:8"), "{err}");
}
