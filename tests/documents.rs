//! README.md and the pages of `docs` do what they say: programs run, transcripts and commands work, and the standard
//! library says what everything in it is for. (`docs/errors` has its own test, `pages.rs`.)
//!
//! Blocks marked `exp` are whole programs: they run in a folder of their own, their expectations hold, and the line
//! of output that a `print` states in its comment appears. A block `text` right after one is its whole output.
//! Blocks marked `exp-fragment` must parse. Blocks without a mark whose lines begin with `> ` are typed at the prompt.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use locus::base::span::FileId;
use locus::session::embedded;
use locus::syntax::parse::parse_program;

struct Block {
    page: String,
    line: usize,
    kind: String,
    text: String,
    /// The text of a block `text` that follows at once.
    output: Option<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// (name, text) of the documents.
fn documents() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    for folder in ["docs", "docs/tutorial"] {
        let pages = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(pages.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    paths.sort();
    let named =
        |path: &PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap());
    paths.iter().map(named).collect()
}

fn blocks() -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for (page, text) in documents() {
        let mut open: Option<Block> = None;
        let mut since_last = false;
        for (number, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => {
                    let block = open.take().unwrap();
                    match found.last_mut() {
                        Some(last) if block.kind == "text" && !since_last => last.output = Some(block.text),
                        _ => found.push(block),
                    }
                    since_last = false;
                }
                (Some(kind), None) => {
                    let (page, kind) = (page.clone(), kind.trim().to_string());
                    open = Some(Block { page, line: number + 1, kind, text: String::new(), output: None });
                }
                (None, Some(block)) => block.text += &format!("{line}\n"),
                (None, None) => since_last |= !line.trim().is_empty(),
            }
        }
        assert!(open.is_none(), "{page}: a block does not end");
    }
    assert!(found.len() >= 15, "only {} blocks were found", found.len());
    found
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
    // Nobody's own results: those of a page lie in the page's folder.
    let cache = if folder == root() { PathBuf::from("off") } else { folder.join("cache") };
    command.args(args).current_dir(folder).env("LOCUS_CACHE", cache);
    command
}

fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The files that a program names, from where the examples and the tests have theirs.
fn put_inputs(program: &str, folder: &Path) {
    for name in program.split("file(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let places =
            ["examples/data", "examples/models/learned", "tests/run/data"].map(|place| root().join(place).join(name));
        if let Some(found) = places.iter().find(|place| place.is_file()) {
            fs::copy(found, folder.join(name)).unwrap();
        }
    }
}

/// What a program of the documents does otherwise than it says.
fn judge_program(block: &Block) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page.exp"), &block.text).unwrap();
    put_inputs(&block.text, folder.path());
    let ran = command(folder.path(), &["run", "page.exp"]).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    if ran.status.code() != Some(0) {
        return Some(shown(&ran));
    }
    if block.text.contains("expect {") {
        let verified = command(folder.path(), &["verify", "page.exp"]).output().unwrap();
        if verified.status.code() != Some(0) {
            return Some(shown(&verified));
        }
    }
    if let Some(output) = &block.output
        && *output != text
    {
        return Some(format!("--- stated\n{output}--- printed\n{text}"));
    }
    let mut lines = text.lines();
    for claim in block.text.lines().filter_map(claim) {
        if !lines.any(|line| line.ends_with(&claim)) {
            return Some(format!("`{claim}` is not printed, or not in this order:\n{text}"));
        }
    }
    None
}

/// `print("{x}")   # 21: why` claims the output `21`.
fn claim(line: &str) -> Option<String> {
    let (_, comment) = line.split_once(" # ").filter(|(code, _)| code.starts_with("print("))?;
    comment
        .split(" is ")
        .next()?
        .split(": ")
        .next()
        .map(|claim| claim.trim().to_string())
        .filter(|c| c.starts_with(|d: char| d.is_ascii_digit() || d == '-'))
}

#[test]
fn programs_run_and_print_what_they_claim() {
    let blocks = blocks();
    let programs: Vec<&Block> = blocks.iter().filter(|block| block.kind == "exp").collect();
    assert!(programs.len() >= 9, "only {} programs", programs.len());
    let claims = programs.iter().flat_map(|block| block.text.lines()).filter(|line| claim(line).is_some()).count();
    assert!(claims >= 6, "only {claims} claims of an output");
    let told = |block: &&Block| Some(format!("{}:{}: {}", block.page, block.line, judge_program(block)?));
    let faults: Vec<String> = programs.iter().filter_map(told).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn fragments_parse_and_no_block_has_an_unknown_mark() {
    for block in blocks() {
        match block.kind.as_str() {
            "exp-fragment" => {
                let (_, errors) = parse_program(FileId(0), &block.text);
                assert!(errors.is_empty(), "{}:{}: {}", block.page, block.line, errors[0].message);
            }
            "exp" | "" | "text" | "sh" => {}
            // Held against an example that runs: tests/embed/pages.rs.
            "rust" if block.page.ends_with("embedding.md") => {}
            other => panic!("{}:{}: nothing judges blocks marked `{other}`", block.page, block.line),
        }
    }
}

#[test]
fn what_is_typed_at_the_prompt_works() {
    let typed: Vec<Block> = blocks().into_iter().filter(|block| block.text.starts_with("> ")).collect();
    assert!(!typed.is_empty(), "no block is typed at the prompt");
    for block in typed {
        let folder = tempfile::tempdir().unwrap();
        let entered: String =
            block.text.lines().filter_map(|line| line.strip_prefix("> ")).map(|l| format!("{l}\n")).collect();
        let mut child = command(folder.path(), &["repl"])
            .env("LOCUS_HISTORY", folder.path().join("history"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(entered.as_bytes()).unwrap();
        let ran = child.wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}:{}:\n{}", block.page, block.line, shown(&ran));
    }
}

/// The commands that the documents name in running text: `locus doc sae.encode`.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (page, text) in documents() {
        let mut prose = String::new();
        for (number, part) in text.split("\n```").enumerate() {
            // Every second part is a block.
            if number % 2 == 0 {
                prose.push_str(part);
            }
        }
        for code in prose.split('`').skip(1).step_by(2).filter(|code| code.starts_with("locus ")) {
            let words: Vec<&str> = code.split_whitespace().collect();
            let choices = words.iter().map(|word| word.split('|').count()).max().unwrap_or(1);
            // `ast|ir` stands for two commands.
            for choice in 0..choices {
                let chosen = |word: &&str| word.split('|').nth(choice).unwrap_or(word).to_string();
                found.push((page.clone(), words.iter().map(chosen).collect::<Vec<_>>().join(" ")));
            }
        }
    }
    assert!(found.len() >= 10, "only {} commands were found: {found:?}", found.len());
    found
}

#[test]
fn commands_of_the_documents_work() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().to_string_lossy().into_owned();
    let pages = format!("{out}/pages");
    for (page, text) in commands() {
        let filled = |word| match word {
            "FILE" => "examples/first_steps.exp",
            "DIR" => pages.as_str(),
            word => word,
        };
        let words: Vec<&str> = text.split(' ').skip(1).map(filled).collect();
        // A command alone is the name of a page of help; the prompt waits for a person; a pattern means minutes.
        let alone = words.len() == 1 && !["info", "doc", "explain"].contains(&words[0]);
        let args: Vec<&str> = match words.as_slice() {
            [one, ..] if alone => vec![*one, "--help"],
            words if words.iter().any(|word| word.contains('*')) => vec![words[0], "--help"],
            [which @ ("run" | "report" | "bundle"), rest @ ..] => [&[*which, "--out", &out], rest].concat(),
            words => words.to_vec(),
        };
        let ran = command(&root(), &args).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{page}: `{text}` fails:\n{}", shown(&ran));
    }
}

#[test]
fn the_mistakes_of_the_tour_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("examples/first_steps.exp")).unwrap();
    for (mistake, code) in [("mean[dya]", "E011"), ("mean[batch]", "E0")] {
        assert_eq!(text.matches("mean[day]").count(), 1);
        fs::write(folder.path().join("a.exp"), text.replace("mean[day]", mistake)).unwrap();
        let ran = command(folder.path(), &["check", "a.exp"]).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{mistake}: {}", shown(&ran));
        assert!(shown(&ran).contains(&format!("error[{code}")), "{mistake}: {}", shown(&ran));
    }
}

#[test]
fn everything_public_in_the_library_is_documented() {
    let mut items = 0;
    for &(module, text) in embedded::STDLIB {
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.first().is_some_and(|line| line.starts_with("## ")), "{module} does not say what it is for");
        for (number, line) in lines.iter().enumerate() {
            let named = line
                .strip_prefix("pub ")
                .and_then(|item| item.split(['(', '<', ' ', '=']).find(|w| !["intrinsic", "fn", "type"].contains(w)));
            let Some(name) =
                named.filter(|_| ["pub fn", "pub intrinsic", "pub type"].iter().any(|start| line.starts_with(start)))
            else {
                continue;
            };
            items += 1;
            assert!(number > 0 && lines[number - 1].starts_with("##"), "std.{module}: `{name}` has no `##` above it");
        }
    }
    assert!(items > 150, "only {items} public items were found");
}

/// Examples in the library's documentation are indented code in backquotes: `top[feature -> rank](x, 5)`.
#[test]
fn examples_in_the_library_parse() {
    let mut examples = 0;
    for &(module, text) in embedded::STDLIB {
        for line in text.lines().filter_map(|line| line.strip_prefix("##")) {
            for code in
                line.split('`').skip(1).step_by(2).filter(|code| code.contains(['(', '[', '{']) && !code.contains(".."))
            {
                let (_, errors) = parse_program(FileId(0), &format!("let it = {code}\n"));
                let (_, as_argument) = parse_program(FileId(0), &format!("let it = f({code})\n"));
                assert!(errors.is_empty() || as_argument.is_empty(), "std.{module}: `{code}` does not parse");
                examples += 1;
            }
        }
    }
    assert!(examples > 20, "only {examples} examples were found");
}
