//! The command as people meet it: exit codes, one-paragraph errors, files, interrupts. Each test starts the binary.

#[path = "common/npy.rs"]
mod npy;

use npy::npy;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.args(args).current_dir(self.0.path()).env_remove("NO_COLOR").env("LOCUS_CACHE", "off");
        command
    }

    fn locus(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!ran.err.contains("panicked"), "a panic reached the person:\n{}", ran.err);
        assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "colors without a terminal:\n{ran:?}");
        ran
    }
}

impl Ran {
    #[track_caller]
    fn expect(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "`{word}` is not in {self:?}");
        }
        self
    }
}

#[test]
fn a_script_that_cannot_be_read_is_refused_in_one_paragraph() {
    let folder = Folder::new();
    folder.file("binary.exp", b"\xff\xfe\x00\x01");
    folder.file("empty.exp", "");
    folder.file("there.exp", "print(1)\n");
    for command in ["run", "check", "verify", "bless"] {
        folder.locus(&[command, "no-such.exp"]).expect(2, &["no such file", "there.exp"]);
        folder.locus(&[command, "."]).expect(2, &["folder"]);
        folder.locus(&[command, "binary.exp"]).expect(2, &["UTF-8"]);
        let ran = folder.locus(&[command, "empty.exp"]).expect(2, &["empty"]);
        assert!(ran.err.lines().count() < 8, "{}", ran.err);
    }
    folder.locus(&["dump", "--stage", "ir", "there"]).expect(2, &["there.exp"]);
}

#[test]
fn usage_errors_end_with_2() {
    let folder = Folder::new();
    folder.file("a.exp", "print(1)\n");
    folder.locus(&["run"]).expect(2, &["FILE"]);
    folder.locus(&["walk", "a.exp"]).expect(2, &["walk"]);
    folder.locus(&["run", "--set", "steps", "a.exp"]).expect(2, &["NAME=VALUE"]);
    folder.locus(&["run", "--threads", "0", "a.exp"]).expect(2, &["threads"]);
    folder.locus(&["run", "--engine", "gpu", "a.exp"]).expect(2, &["interp"]);
}

#[test]
fn every_engine_and_thread_count_prints_the_same() {
    let folder = Folder::new();
    folder
        .file("a.exp", "axis a = 1000\nlet x = [i in a => float(int(i)) / 7.0]\nprint(\"{sum[a](x)} {var[a](x)}\")\n");
    let first = folder.locus(&["run", "a.exp"]).expect(0, &[]).out;
    assert!(first.starts_with("71357.14"), "{first}");
    for engine in ["jit", "interp"] {
        for threads in ["1", "2", "3"] {
            let ran = folder.locus(&["run", "--engine", engine, "--threads", threads, "a.exp"]).expect(0, &[]);
            assert_eq!(ran.out, first, "{engine}, {threads} threads");
        }
    }
    folder.locus(&["run", "--engine", "interp-unoptimised", "a.exp"]).expect(0, &["71357.14"]);
    assert!(!folder.0.path().join("out").exists(), "a program that writes nothing leaves no folder");
}

#[test]
fn nothing_runs_of_a_program_that_does_not_check() {
    let folder = Folder::new();
    folder.file("a.exp", "print(\"first\")\nlet x = missing + 1\n");
    let ran = folder.locus(&["run", "a.exp"]).expect(2, &["E010", "missing", "a.exp:2"]);
    assert_eq!(ran.out, "");
    folder.locus(&["check", "a.exp"]).expect(2, &["E010"]);
    folder.file("b.exp", "print(\"first\")\n");
    let ran = folder.locus(&["check", "b.exp"]).expect(0, &["b.exp: ok"]);
    assert!(!ran.out.contains("first"));
}

#[test]
fn a_failure_while_running_ends_with_1_and_shows_its_line() {
    let folder = Folder::new();
    folder.file("a.exp", "print(\"first\")\nlet n = 0\nprint(div(10, n))\nprint(\"last\")\n");
    for engine in ["jit", "interp", "interp-unoptimised"] {
        let ran = folder.locus(&["run", "--engine", engine, "a.exp"]).expect(1, &["R005", "a.exp:3"]);
        assert_eq!(ran.out, "first\n");
    }
}

#[test]
fn overrides_replace_values_and_are_checked() {
    let folder = Folder::new();
    folder.file("a.exp", "let steps = 300\naxis a = 3\nprint(\"{steps} {extent[a]()}\")\n");
    let ran = folder.locus(&["run", "--set", "steps=20", "--set", "a=5", "a.exp"]).expect(0, &[]);
    assert_eq!(ran.out, "20 5\n");
    folder.file("b.exp", "let scheme = \"learned\"\nprint(if scheme == \"rotary\" { \"turned\" } else { scheme })\n");
    for word in ["scheme=rotary", "scheme=\"rotary\""] {
        assert_eq!(folder.locus(&["run", "--set", word, "b.exp"]).expect(0, &[]).out, "turned\n");
    }
    folder.locus(&["run", "--set", "scheme=a\"", "b.exp"]).expect(2, &["E051"]);
    folder.locus(&["run", "--set", "stpes=20", "a.exp"]).expect(2, &["E051", "stpes", "did you mean `steps`?"]);
    folder.locus(&["run", "--set", "steps=many", "a.exp"]).expect(2, &["E051"]);
}

#[test]
fn verify_makes_the_exit_code_of_expectations() {
    let folder = Folder::new();
    folder.file("good.exp", "print(\"said\")\nexpect {\n  0.1 + 0.2 ~ 0.3 +- 1e-9\n  2 + 2 == 4\n}\n");
    folder.file("bad.exp", "expect {\n  0.1 + 0.2 ~ 0.4 +- 0.01\n}\n");
    let ran = folder.locus(&["verify", "good.exp"]).expect(0, &["2 of 2"]);
    assert!(!ran.out.contains("said"), "verify is about expectations: {}", ran.out);
    folder.locus(&["verify", "bad.exp"]).expect(1, &["0 of 1", "bad.exp:2"]);
    folder.locus(&["verify", "good.exp", "bad.exp"]).expect(1, &["2 of 2", "0 of 1"]);
    folder.locus(&["verify", "bad.exp", "good.exp"]).expect(1, &["2 of 2", "0 of 1"]);
    folder.locus(&["run", "bad.exp"]).expect(0, &["FAILS"]);
}

#[test]
fn bless_writes_numbers_and_never_tolerances() {
    let folder = Folder::new();
    folder.file(
        "a.exp",
        "let x = 1.0 / 3.0\nexpect {\n  x   ~ 0.50 +- 0.001   # a third\n  -x ~ -0.5 +- 0.1\n  7 * 6 == 41\n}\n",
    );
    folder.locus(&["verify", "a.exp"]).expect(1, &[]);
    folder.locus(&["bless", "a.exp"]).expect(0, &["a.exp:3", "- x   ~ 0.50", "+ x   ~ 0.333 +- 0.001"]);
    let blessed =
        "let x = 1.0 / 3.0\nexpect {\n  x   ~ 0.333 +- 0.001   # a third\n  -x ~ -0.3 +- 0.1\n  7 * 6 == 42\n}\n";
    assert_eq!(folder.text("a.exp"), blessed);
    folder.locus(&["verify", "a.exp"]).expect(0, &["3 of 3"]);
    folder.locus(&["bless", "a.exp"]).expect(0, &["nothing to change"]);
    assert_eq!(folder.text("a.exp"), blessed);
}

#[test]
fn bless_cannot_repair_a_bound_or_a_tensor() {
    let folder = Folder::new();
    let tensor = "axis n = 3\nexpect {\n  [i in n => 100.0 * float(int(i))] ~ 1.0 +- 5.0\n}\n";
    for text in ["expect {\n  7 <= 6\n}\n", tensor, "expect {\n  log(-1.0) ~ 1.0 +- 0.1\n}\n"] {
        folder.file("a.exp", text);
        folder.locus(&["bless", "a.exp"]).expect(1, &["still do not hold"]);
        assert_eq!(folder.text("a.exp"), text);
    }
    folder.file("a.exp", tensor);
    folder.locus(&["verify", "a.exp"]).expect(1, &["is at most 199 away, expected 5"]);
    folder.file("a.exp", tensor.replace("5.0", "199.0"));
    folder.locus(&["bless", "a.exp"]).expect(0, &["nothing to change"]);
}

#[test]
fn what_bless_writes_holds() {
    let folder = Folder::new();
    let claims = ["0.5 +- tol", "0.5 +- 2.0 * tol", "0.5 +- 0.0", "5e-1 +- 1e-12", "0.1 +- 1e-17"];
    let lines: String = claims.iter().map(|claim| format!("  third ~ {claim}\n")).collect();
    folder.file("a.exp", format!("let third = 1.0 / 3.0\nlet tol = 0.01\nexpect {{\n{lines}}}\n"));
    folder.locus(&["bless", "a.exp"]).expect(0, &["+ third ~ 0.33 +- 2.0 * tol"]);
    folder.locus(&["verify", "a.exp"]).expect(0, &["5 of 5"]);
}

#[test]
#[cfg(target_os = "linux")]
fn devices_and_pipes_are_neither_waited_for_nor_replaced() {
    let folder = Folder::new();
    folder.file("a.exp", "print(\"said\")\nexpect {\n  1 == 1\n}\n");
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for args in [&["run", "a.exp"][..], &["verify", "a.exp"], &["doc", "softmax"], &["fmt", "-"]] {
        let ran = folder.command(args).stdin(Stdio::null()).stdout(full()).output().unwrap();
        let empty = args[0] == "fmt";
        Ran::from(ran).expect(i32::from(!empty), if empty { &[] } else { &["standard output: the disk is full"] });
    }
    assert!(!folder.0.path().join("out").exists(), "a folder in which nothing was written is left");
    folder.locus(&["run", "/dev/zero"]).expect(2, &["a script has at most"]);
    std::os::unix::fs::symlink("/dev/null", folder.0.path().join("sink")).unwrap();
    folder.locus(&["run", "--profile=sink", "a.exp"]).expect(0, &["it is a device or a pipe"]);
    assert!(fs::symlink_metadata(folder.0.path().join("sink")).unwrap().is_symlink());
    fs::create_dir(folder.0.path().join("out")).unwrap();
    let pipe = folder.0.path().join("out/a.run.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    folder.locus(&["verify", "a.exp"]).expect(0, &["1 of 1"]);
    folder.locus(&["convert", "absent", "new"]).expect(1, &["there is no such file"]);
}

#[test]
fn inputs_are_found_beside_the_script_and_hashed() {
    let folder = Folder::new();
    fs::create_dir(folder.0.path().join("deep")).unwrap();
    folder.file("deep/x.npy", npy(&[1.0, 2.0, 4.5]));
    let script = "axis a\ninput x = file(\"x.npy\")\nprint(\"{sum[a](read_f32[a](x))}\")\n";
    folder.file("deep/a.exp", script);
    folder.locus(&["run", "deep/a.exp"]).expect(0, &["7.5"]);
    let record = folder.text("out/a.run.json");
    assert!(record.contains("\"sha256\"") && record.contains("\"kernel\""), "{record}");
    folder.locus(&["bless", "deep/a.exp"]).expect(0, &["sha256"]);
    assert!(folder.text("deep/a.exp").contains("file(\"x.npy\", sha256: \""), "{}", folder.text("deep/a.exp"));
    folder.locus(&["run", "deep/a.exp"]).expect(0, &["7.5"]);
    folder.file("deep/x.npy", npy(&[1.0, 2.0, 5.0]));
    folder.locus(&["run", "deep/a.exp"]).expect(1, &["R009", "bless"]);
    folder.file("deep/x.npy", &npy(&[1.0, 2.0, 5.0])[..130]);
    folder.file("deep/b.exp", script);
    folder.locus(&["run", "deep/b.exp"]).expect(1, &["R008"]);
}

#[test]
fn an_output_folder_that_cannot_be_written_is_one_error() {
    let folder = Folder::new();
    folder.file("taken", "a file where a folder should be");
    folder.file("a.exp", "use std.io\naxis a = 3\nwrite_npy(\"x.npy\", ones[a]())\n");
    folder.file("b.exp", "axis a = 3\nplot lines { y: ones[a](), x: a, file: \"x.svg\" }\n");
    folder.locus(&["run", "--out", "taken", "b.exp"]).expect(1, &["R008", "taken"]);
    folder.locus(&["run", "--out", "fine", "b.exp"]).expect(0, &[]);
    let files: Vec<String> = fs::read_dir(folder.0.path().join("fine"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into())
        .collect();
    assert!(files.contains(&"x.svg".to_string()) && files.len() == 2, "{files:?}");
}

#[test]
fn a_reader_that_leaves_stops_the_program() {
    let folder = Folder::new();
    folder.file("a.exp", "for i in 0..1000000000 {\n  print(\"{i}\")\n}\n");
    let mut child = folder.command(&["run", "a.exp"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "0\n");
    assert!(wait(&mut child, Duration::from_secs(20)), "the program went on without a reader");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(err, "");
}

fn wait(child: &mut Child, limit: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    false
}

#[test]
fn ctrl_c_stops_at_the_next_step_with_130() {
    let folder = Folder::new();
    folder.file("a.exp", "print(\"ready\")\nlet mut n = 0\nwhile n >= 0 {\n  n = (n + 1) % 1000\n}\n");
    for engine in ["jit", "interp"] {
        let mut child = folder
            .command(&["run", "--engine", engine, "a.exp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(wait(&mut child, Duration::from_secs(20)), "{engine}: Ctrl-C was not heard");
        assert_eq!(child.wait().unwrap().code(), Some(130), "{engine}");
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(err.contains("R013") && !err.contains("panicked"), "{engine}: {err}");
    }
}

#[test]
fn pages_and_documentation_are_in_the_binary() {
    let folder = Folder::new();
    folder.locus(&["explain", "E012"]).expect(0, &["# E012", "```exp wrong"]);
    folder.locus(&["explain", "e012"]).expect(0, &["# E012"]);
    folder.locus(&["explain", "E999"]).expect(2, &["E999"]);
    folder.locus(&["explain"]).expect(0, &["E010", "R099"]);
    folder.locus(&["doc"]).expect(0, &["std.core", "std.sae"]);
    folder.locus(&["doc", "softmax"]).expect(0, &["pub fn softmax<", "in std.core"]);
    folder.locus(&["doc", "std.sae"]).expect(0, &["encode"]);
    folder.locus(&["doc", "no_such_thing"]).expect(2, &["no_such_thing"]);
}

#[test]
fn info_names_the_kernel() {
    let folder = Folder::new();
    folder.locus(&["info"]).expect(0, &["openblas", "kernel", "threads", "features"]);
    let kernel = folder.locus(&["info", "--kernel"]).expect(0, &[]).out;
    assert_eq!(kernel.split_whitespace().count(), 1, "{kernel}");
}

#[test]
fn every_stage_can_be_dumped() {
    let folder = Folder::new();
    folder.file("a.exp", "fn twice(x: float) -> float { 2.0 * x }\nprint(\"{twice(3.0)}\")\n");
    folder.locus(&["dump", "--stage", "ast", "a.exp"]).expect(0, &["twice"]);
    for stage in ["ir-before", "ir", "clif", "asm"] {
        let ran = folder.locus(&["dump", "--stage", stage, "a.exp"]).expect(0, &[]);
        assert!(ran.out.lines().count() > 2, "{stage}: {}", ran.out);
    }
    folder.locus(&["dump", "--stage", "ir", "--function", "no_such", "a.exp"]).expect(2, &["no_such"]);
}

fn prompt(folder: &Folder, text: &str) -> Ran {
    let mut child = folder
        .command(&["repl"])
        .env("LOCUS_HISTORY", folder.0.path().join("history"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn the_prompt_keeps_values_and_survives_errors() {
    let folder = Folder::new();
    let text =
        "let x = 20\nfn twice(n: int) -> int {\n  2 * n\n}\nlet y = missing\nlet z = div(x, 0)\nz\ntwice(x) + 2\n";
    let ran = prompt(&folder, text).expect(1, &["x : int", "E010", "R005", "= 42"]);
    assert!(ran.err.contains("nothing is called `z`"), "{}", ran.err);
}

#[test]
fn a_statement_that_fails_leaves_every_value_as_it_was() {
    let folder = Folder::new();
    let text =
        "let x = 20\nlet x = div(x, 0)\nx + 1\nlet mut n = 5\nfor i in 0..3 {\n  n = n + div(1, i - 1)\n}\nn + 100\n";
    let ran = prompt(&folder, text).expect(1, &["= 21", "= 105"]);
    assert_eq!(ran.err.matches("R005").count(), 2, "{}", ran.err);
}

#[test]
fn the_prompt_saves_a_program_that_runs() {
    let folder = Folder::new();
    let text = ":type 1 + 2\nlet x = 3\nlet y = 4\n:undo\nprint(\"x is {x}\")\n:save kept.exp\n:names\n:axes\n:quit\nprint(\"never\")\n";
    let ran = prompt(&folder, text).expect(0, &["int", "undone: let y = 4", "x is 3", "feature"]);
    assert!(!ran.out.contains("never"));
    assert_eq!(folder.text("kept.exp"), "let x = 3\nprint(\"x is {x}\")\n");
    let ran = folder.locus(&["run", "kept.exp"]).expect(0, &[]);
    assert_eq!(ran.out, "x is 3\n");
}

const PRODUCT: &str = "use std.random: normal\naxis m = 400, k = 300, n = 200\nlet a = normal[m, k](root, \"a\")\n\
                       let b = normal[k, n](root, \"b\")\nlet c = a @[k] b\nprint(\"{mean[m, n](c)}\")\n";

#[test]
fn a_profile_names_lines_and_fits_its_terminal() {
    let folder = Folder::new();
    folder.file("p.exp", PRODUCT);
    let plain = folder.locus(&["run", "p.exp"]).expect(0, &[]);
    assert!(!plain.err.contains("profile"), "{plain:?}");
    let mut command = folder.command(&["run", "--profile", "p.exp"]);
    let ran = Ran::from(command.env("COLUMNS", "60").env("NO_COLOR", "1").output().unwrap());
    let ran = ran.expect(0, &["p.exp:5", "std.random:", "product", "share"]);
    assert_eq!(ran.out, plain.out, "a profile never mixes with what the program prints");
    assert!(ran.err.lines().skip(2).all(|line| line.chars().count() <= 60), "{}", ran.err);
    folder.locus(&["run", "--profile=p.json", "p.exp"]).expect(0, &[]);
    let text = folder.text("p.json");
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lines = found["lines"].as_array().unwrap();
    let product = lines.iter().find(|line| line["line"] == 5).unwrap();
    assert_eq!(product["largest_bytes"], 400 * 200 * 4);
    assert!(product["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_plan_follows_from_the_text_and_runs_nothing() {
    let folder = Folder::new();
    folder.file("small.exp", include_str!("plan/small.exp"));
    let ran = folder.locus(&["plan", "small.exp", "--memory", "2G"]).expect(0, &[]);
    // How fast the machine is now is no property of the program.
    let found: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with("at the ")).collect();
    assert_eq!(found.join("\n"), include_str!("plan/small.txt").trim_end());
    // A branch that depends on data, and an input that is not there: said to be unknown, and nothing printed.
    folder.file("open.exp", "axis n = 4\ninput x = file(\"x.npy\")\nlet y = read_f32[n](x)\nprint(\"ran\")\n");
    let ran = folder.locus(&["plan", "open.exp"]).expect(0, &["y: f32[n ?], size unknown", "what is unknown"]);
    assert!(!ran.out.lines().any(|line| line == "ran"), "{ran:?}");
}

/// The optimiser must not take a fault for granted that the program would have met.
#[test]
fn a_replacement_that_does_not_fit_is_refused_by_every_engine() {
    let folder = Folder::new();
    let model = "axis batch = 2, d = 2\naxis some\nfn forward(x: f64[batch, d]) -> f64[batch, d] {\n  \
        site before = x * 1.0\n  before * 2.0\n}\nlet model = { forward: fn(x) => forward(x) }\n\
        let x = [b in batch, i in d => float(int(b) + int(i))]\n\
        fn half(x: f64[batch, d]) -> f64[batch, d] { x[batch -> some: 0..1][some -> batch] }\n";
    let beyond =
        "let changed = with model { before[d: 9] = fn(h) => [b in batch => 7.0] }\nprint(\"{changed.forward(x)}\")\n";
    let shorter = "let changed = with model { before = fn(h) => half(x) }\nprint(\"{changed.forward(x)}\")\n";
    for (part, code) in [(beyond, "R004"), (shorter, "R003")] {
        folder.file("a.exp", format!("{model}{part}"));
        for engine in ["jit", "interp", "interp-unoptimised"] {
            let ran = folder.locus(&["run", "--engine", engine, "a.exp"]).expect(1, &[code]);
            assert_eq!(ran.out, "", "{engine}");
        }
    }
}

#[test]
fn tokenize_shows_tokens_gives_ids_and_reads_them_back() {
    let folder = Folder::new();
    let tokenizer = format!("{}/examples/data/tokenizer.json", env!("CARGO_MANIFEST_DIR"));
    let ran = |more: &[&str]| folder.locus(&[&["tokenize", "--tokenizer", &tokenizer], more].concat());
    let shown = ran(&["Fellow citizens<|endoftext|>é"]).expect(0, &["  0  \"<|endoftext|>\"", "\" citizens\""]);
    let ids: Vec<&str> = shown.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    // Half of a character is no text.
    assert!(shown.out.contains("<C3>") || shown.out.contains("\"é\""), "{shown:?}");
    let plain = ran(&["--ids", "Fellow citizens<|endoftext|>é"]).expect(0, &[]);
    assert_eq!(plain.out.split_whitespace().collect::<Vec<_>>(), ids);
    let back = ran(&["--decode", plain.out.trim()]).expect(0, &[]);
    assert_eq!(back.out, "Fellow citizens<|endoftext|>é\n");
    let listed = format!("[{}]", ids.join(", "));
    assert_eq!(ran(&["--decode", &listed]).expect(0, &[]).out, back.out);
    assert_eq!(ran(&["--ids", "-5"]).expect(0, &[]).out.lines().count(), 1);
    ran(&[""]).expect(0, &[]);

    let mut child = folder
        .command(&["tokenize", "--tokenizer", &tokenizer, "--ids", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("Fellow citizens<|endoftext|>é".as_bytes()).unwrap();
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).expect(0, &[]).out, plain.out);
}

#[test]
fn a_wrong_tokenizer_is_one_clear_error() {
    let folder = Folder::new();
    let tokenizer = format!("{}/examples/data/tokenizer.json", env!("CARGO_MANIFEST_DIR"));
    let whole = fs::read(&tokenizer).unwrap();
    folder.file("cut.json", &whole[..whole.len() / 2]);
    folder.file("other.json", r#"{"n_layer": 2}"#);
    folder.file("some.bin", [7; 300]);
    let fails = |path: &str, words: &[&str]| {
        let ran = folder.locus(&["tokenize", "--tokenizer", path, "a"]).expect(1, words);
        assert!(ran.err.lines().count() < 8 && ran.out.is_empty(), "{ran:?}");
    };
    fails("absent.json", &["there is no file `absent.json`"]);
    fails(".", &["there is no file", "tokenizer.json"]);
    fails("cut.json", &["is not a tokenizer.json", "EOF"]);
    fails("other.json", &["is not a tokenizer.json", "model"]);
    fails("some.bin", &["is not a tokenizer"]);
    let ran = |text: &str| folder.locus(&["tokenize", "--tokenizer", &tokenizer, "--decode", text]);
    ran("1 two").expect(1, &["`two` is not a token id"]);
    ran("1 2048").expect(1, &["token 2048 is not one of the tokenizer's 2048"]);
    ran("99999999999").expect(1, &["not one of"]);
    folder.locus(&["tokenize", "a"]).expect(2, &["--tokenizer"]);
}

#[test]
fn inspect_shows_what_files_hold() {
    let folder = Folder::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/readers");
    let fixture = |name: &str| fs::read(format!("{fixtures}/{name}")).unwrap();
    let words = ["GGUF", "general.architecture", "llama", "rope.freq_base", "10000.0", "blk.0.Q4_K", "Q4_K", "2 x 512"];
    let inspect = |name: &str| folder.locus(&["inspect", name]);
    folder.file("some.bin", fixture("quantised.gguf"));
    inspect("some.bin").expect(0, &words);
    folder.file("a.pt", fixture("nested.pt"));
    inspect("a.pt").expect(0, &["PyTorch", "model.weight", "several.*.*", "2 of them", "other settings", "epoch"]);
    folder.file("m.bin", fixture("llama2c.bin"));
    inspect("m.bin").expect(0, &["llama2.c", "n_kv_heads", "token_embedding_table", "10 x 8", "1,172 numbers in all"]);
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }\n";
    folder.file(
        "tokens.npy",
        [&b"\x93NUMPY\x01\0"[..], &[header.len() as u8, 0], header.as_bytes(), &[0, 9, 3, 3]].concat(),
    );
    inspect("tokens.npy").expect(0, &["NumPy", "2 x 2", "uint8", "0 to 9"]);
    folder.file("old.pt", fixture("old.pt"));
    inspect("old.pt").expect(1, &["R008", "pickle by itself", "save it again"]);
    folder.file("a.jsonl", "{\"text\": \"a\", \"year\": 1}\n{\"text\": \"b\", \"year\": 2}\n");
    inspect("a.jsonl").expect(0, &["JSON lines", "lines", "2", "year", "a number"]);
    folder.file("a.txt", "one\ntwo");
    inspect("a.txt").expect(0, &["text", "lines", "2", "letters", "7"]);
    inspect("absent").expect(1, &["R008", "there is no file"]);
    folder.locus(&["inspect"]).expect(2, &["PATH"]);

    fs::create_dir(folder.0.path().join("model")).unwrap();
    folder.file(
        "model/config.json",
        r#"{"model_type": "gpt2", "n_layer": 4, "position_embedding_type": "none", "x": 1}"#,
    );
    folder.file("model/model.safetensors", fixture("llama2c.safetensors"));
    folder.file("model/notes.txt", "never read");
    folder.file("model/tokenizer.json", r#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#);
    let words = [
        "a folder, of which 3 files count",
        "config.json",
        "gpt2",
        "position_embedding_type",
        "none",
        "notes.txt",
        "BPE",
    ];
    let ran = inspect("model").expect(0, &words);
    let hash = ran.out.lines().find_map(|line| line.trim().strip_prefix("sha256")).unwrap().trim().to_string();
    folder
        .file("a.exp", "input m = folder(\"model\", sha256: \"?\")\nuse std.io\nprint(\"{io.json_int(m, \"x\")}\")\n");
    folder.locus(&["run", "a.exp"]).expect(0, &["1"]);
    folder.locus(&["bless", "a.exp"]).expect(0, &[&hash]);
    folder.file("model/config.json", "{\"x\": 2}");
    folder.locus(&["run", "a.exp"]).expect(1, &["R009", "another sha256"]);
}
