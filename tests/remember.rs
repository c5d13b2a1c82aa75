//! Remembered results: what is taken from an earlier run, what is not, and that a run says the same either way.

#[path = "common/npy.rs"]
mod npy;

use npy::npy;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

struct Folder(tempfile::TempDir);

/// What a run printed, what it said, and how it ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ran {
    /// How many results came from an earlier run, as the run itself says.
    fn remembered(&self) -> usize {
        let line = self.err.lines().find(|line| line.contains("remembered, "));
        line.map_or(0, |line| line.split(' ').next().unwrap().parse().unwrap())
    }
}

impl Folder {
    fn new(script: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.script(script);
        folder
    }

    fn script(&self, text: &str) {
        fs::write(self.path("a.exp"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.args(args).current_dir(self.0.path()).env("LOCUS_CACHE", self.path("cache"));
        // So that what is kept does not depend on how fast the machine is.
        command.env("LOCUS_REMEMBER_SECONDS", "0");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    fn results(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("cache/results")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

const SCRIPT: &str = "experiment \"a\" { locus: \"0.1\", seed: 3 }\n\
use std.random: normal\n\
axis row = 200, column = 100\n\
fn study(x: f32[row, column]) {\n  print(\"studied {sum[row, column](x):.4}\")\n  \
{ mean: mean[row](x), words: \"seen\", many: [1, 2, 3] }\n}\n\
let x = normal[row, column](root, \"x\")\n\
let found = study(x)\n\
plot lines { y: found.mean, x: column, title: \"First title\", file: \"mean.svg\" }\n\
print(\"{max[column](found.mean):.6} {found.words} {len(found.many)}\")\n";

#[test]
fn a_second_run_says_the_same_and_computes_nothing() {
    let folder = Folder::new(SCRIPT);
    let first = folder.run(&["run", "a.exp"]);
    assert_eq!((first.code, first.remembered()), (0, 0), "{first:?}");
    let figure = fs::read(folder.path("out/mean.svg")).unwrap();
    let second = folder.run(&["run", "a.exp"]);
    assert_eq!(second.out, first.out);
    assert!(second.remembered() == 2 && second.err.contains("s saved"), "{second:?}");
    assert_eq!(fs::read(folder.path("out/mean.svg")).unwrap(), figure);
    let record = fs::read_to_string(folder.path("out/a.run.json")).unwrap();
    assert!(record.contains("\"remembered\": [") && record.contains("\"name\": \"found\""), "{record}");
}

#[test]
fn only_what_an_edit_reaches_is_computed_again() {
    let folder = Folder::new(SCRIPT);
    let first = folder.run(&["run", "a.exp"]);
    let edited = |from: &str, to: &str| {
        assert!(SCRIPT.contains(from), "{from}");
        folder.script(&SCRIPT.replace(from, to));
        folder.run(&["run", "a.exp"])
    };
    let title = edited("First title", "Second title");
    assert_eq!((title.remembered(), title.out), (2, first.out.replace("First title", "Second title")));
    assert!(fs::read_to_string(folder.path("out/mean.svg")).unwrap().contains("Second title"));
    assert_eq!(edited("let x = normal", "\n\n# a remark\nlet x = normal").remembered(), 2);
    assert_eq!(edited("mean: mean[row](x)", "mean: mean[row](x) + 1.0").remembered(), 1, "`x` is as it was");
    assert_eq!(edited("row = 200", "row = 201").remembered(), 0);
    assert_eq!(edited("seed: 3", "seed: 4").remembered(), 0);
    assert_eq!(folder.run(&["run", "--set", "row=150", "a.exp"]).remembered(), 0);
}

#[test]
fn the_numeric_class_is_part_of_the_key_and_threads_are_not() {
    let folder = Folder::new(SCRIPT);
    let first = folder.run(&["run", "--threads", "1", "a.exp"]);
    for (args, remembered) in [
        (&["run", "--threads", "3", "a.exp"][..], 2),
        (&["run", "--engine", "interp", "a.exp"], 2),
        (&["run", "--engine", "interp-unoptimised", "a.exp"], 0),
        (&["run", "--check-finite", "a.exp"], 0),
        (&["run", "--fresh", "a.exp"], 0),
    ] {
        let ran = folder.run(args);
        assert_eq!((ran.remembered(), ran.code), (remembered, 0), "{args:?}: {ran:?}");
        assert_eq!(ran.out.lines().count(), first.out.lines().count());
    }
}

#[test]
fn verify_computes_unless_asked() {
    let folder =
        Folder::new("axis a = 1000\nlet x = [i in a => sqrt(float(int(i)))]\nexpect {\n  max[a](x) > 31.0\n}\n");
    assert_eq!(folder.run(&["verify", "a.exp"]).code, 0);
    assert!(!folder.path("cache").exists(), "verify neither reads nor keeps");
    folder.run(&["run", "a.exp"]);
    assert_eq!(folder.results().len(), 1);
    // An entry that says something else shows who reads it.
    let other =
        Folder::new("axis a = 1000\nlet x = [i in a => 0.0 * sqrt(float(int(i)))]\nexpect {\n  max[a](x) > 31.0\n}\n");
    other.run(&["run", "a.exp"]);
    fs::copy(&other.results()[0], &folder.results()[0]).unwrap();
    assert_eq!(folder.run(&["verify", "a.exp"]).code, 0);
    assert_eq!(folder.run(&["verify", "--remembered", "a.exp"]).code, 1);
    assert!(folder.run(&["run", "a.exp"]).out.contains("FAILS"));
    assert!(folder.run(&["run", "--fresh", "a.exp"]).out.contains("holds"));
    assert!(folder.run(&["run", "a.exp"]).out.contains("holds"), "a fresh run renews what is kept");
}

#[test]
fn a_damaged_entry_is_computed_again() {
    let folder = Folder::new(SCRIPT);
    let first = folder.run(&["run", "a.exp"]);
    let entries = folder.results();
    assert_eq!(entries.len(), 2);
    for part in [3, 2, 1] {
        for path in &entries {
            let mut bytes = fs::read(path).unwrap();
            let place = bytes.len() * part / 4 - 20;
            bytes[place] ^= 0x40;
            fs::write(path, bytes).unwrap();
        }
        let ran = folder.run(&["run", "a.exp"]);
        assert_eq!((ran.code, &ran.out), (0, &first.out), "{ran:?}");
        assert!(ran.err.contains("a damaged result"), "{ran:?}");
        let again = folder.run(&["run", "a.exp"]);
        assert_eq!((again.remembered(), &again.out), (2, &first.out), "{again:?}");
    }
}

#[test]
fn inputs_count_by_their_content() {
    let folder =
        Folder::new("axis a\ninput f = file(\"x.npy\")\nlet x = 2.0 * read_f32[a](f)\nprint(\"{sum[a](x)}\")\n");
    fs::write(folder.path("x.npy"), npy(&[1.0, 2.0])).unwrap();
    assert_eq!(folder.run(&["run", "a.exp"]).out, "6.0\n");
    let again = folder.run(&["run", "a.exp"]);
    assert_eq!((again.out.as_str(), again.remembered()), ("6.0\n", 1), "{again:?}");
    // The same size, and as soon after as can be.
    fs::write(folder.path("x.npy"), npy(&[1.0, 3.0])).unwrap();
    let other = folder.run(&["run", "a.exp"]);
    assert_eq!((other.out.as_str(), other.remembered()), ("8.0\n", 0), "{other:?}");
    let record = fs::read_to_string(folder.path("out/a.run.json")).unwrap();
    assert!(record.contains("\"sha256\"") && record.contains("x.npy"), "{record}");
    // A file that has rested is known by its size and times, and read by nobody.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(1000);
    let file = fs::File::options().write(true).open(folder.path("x.npy")).unwrap();
    file.set_modified(old).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    for _ in 0..2 {
        assert_eq!(folder.run(&["run", "a.exp"]).out, "8.0\n");
    }
    fs::write(folder.path("x.npy"), b"gone").unwrap();
    let broken = folder.run(&["run", "a.exp"]);
    assert!(broken.code == 1 && broken.err.contains("R008"), "{broken:?}");
}

#[test]
fn what_writes_is_not_remembered() {
    let folder = Folder::new(
        "use std.io\naxis a = 10\nfn f() {\n  io.write_npy(\"x.npy\", ones[a]())\n  2.0 * ones[a]()\n}\nlet x = f()\nprint(\"{sum[a](x)}\")\n",
    );
    for _ in 0..2 {
        let _ = fs::remove_dir_all(folder.path("out"));
        let ran = folder.run(&["run", "a.exp"]);
        assert_eq!((ran.code, ran.remembered()), (0, 0), "{ran:?}");
        assert!(folder.path("out/x.npy").exists());
    }
}

#[test]
fn short_items_that_nobody_needs_wait_and_failures_still_show() {
    let text = "axis a = 100\nlet n = 3\nlet x = [i in a => float(int(i) + n)]\nlet y = [i in a => x[a: i] / 2.0]\nprint(\"{sum[a](y)}\")\n";
    let folder = Folder::new(text);
    // `x` is short, `y` is kept.
    let run = |text: &str| {
        folder.script(text);
        Ran::from(folder.command(&["run", "a.exp"]).env("LOCUS_REMEMBER_SECONDS", "1e-9").output().unwrap())
    };
    let (first, second) = (run(text), run(text));
    assert_eq!(first.out, second.out);
    assert!(second.remembered() > 0, "{second:?}");
    let failing = run(&text.replace("let n = 3", "let n = div(3, 0)"));
    assert!(failing.code == 1 && failing.err.contains("R005"), "{failing:?}");
    let failing = run(&text.replace("let n = 3", "let n = div(3, 0)"));
    assert!(failing.code == 1 && failing.err.contains("R005"), "{failing:?}");
}

#[test]
fn two_processes_share_one_cache() {
    let folder = Folder::new(SCRIPT);
    for round in 0..3 {
        let start = || {
            let mut command = folder.command(&["run", "--out", "o", "a.exp"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = [start(), start()];
        let outs = both.map(|child| Ran::from(child.wait_with_output().unwrap()));
        assert!(outs.iter().all(|ran| ran.code == 0), "{outs:?}");
        assert_eq!(outs[0].out, outs[1].out, "round {round}");
    }
    assert_eq!(folder.results().len(), 2);
}

#[test]
fn the_cache_is_private_listed_and_pruned() {
    let folder = Folder::new(SCRIPT);
    folder.run(&["run", "a.exp"]);
    let mode = fs::metadata(folder.path("cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let listed = folder.run(&["cache", "list"]);
    assert!(listed.code == 0 && listed.out.contains("found") && listed.out.contains("2 results"), "{listed:?}");
    assert_eq!(folder.run(&["cache", "prune"]).code, 2);
    assert_eq!(folder.run(&["cache", "prune", "--older", "forever"]).code, 2);
    let none = folder.run(&["cache", "prune", "--older", "1d"]);
    assert!(none.out.contains("0 results removed"), "{none:?}");
    let some = folder.run(&["cache", "prune", "--size", "5k"]);
    assert!(some.out.contains("1 result removed"), "{some:?}");
    let all = folder.run(&["cache", "prune", "--all"]);
    assert!(all.out.contains("1 result removed"), "{all:?}");
    assert_eq!(folder.run(&["run", "a.exp"]).remembered(), 0);
}

#[test]
fn a_size_limit_holds() {
    let folder = Folder::new(SCRIPT);
    let limited =
        |limit: &str| Ran::from(folder.command(&["run", "a.exp"]).env("LOCUS_CACHE_LIMIT", limit).output().unwrap());
    // `x` has 80 kB and is more than half of this.
    assert_eq!(limited("100k").code, 0);
    assert_eq!(folder.results().len(), 1);
    assert_eq!(limited("0").code, 0);
}

#[test]
fn without_a_cache_nothing_is_left() {
    let folder = Folder::new(SCRIPT);
    let off = || Ran::from(folder.command(&["run", "a.exp"]).env("LOCUS_CACHE", "off").output().unwrap());
    assert_eq!(off().code, 0);
    assert_eq!(off().remembered(), 0);
    assert!(!folder.path("cache").exists());
    // A folder that cannot be made is a note, not a failure.
    fs::write(folder.path("taken"), "").unwrap();
    let taken =
        Ran::from(folder.command(&["run", "a.exp"]).env("LOCUS_CACHE", folder.path("taken/x")).output().unwrap());
    assert!(taken.code == 0 && taken.err.contains("nothing is remembered"), "{taken:?}");
}

#[test]
fn a_full_disk_costs_only_the_memory() {
    let folder = Folder::new(SCRIPT);
    let limited = format!("trap '' XFSZ; ulimit -f 16; exec {} run a.exp", env!("CARGO_BIN_EXE_locus"));
    let mut command = Command::new("bash");
    command.args(["-c", &limited]).current_dir(folder.0.path());
    command.env("LOCUS_CACHE", folder.path("cache")).env("LOCUS_REMEMBER_SECONDS", "0");
    let ran = Ran::from(command.output().unwrap());
    assert!(ran.code == 0 && ran.err.contains("`x` is not remembered"), "{ran:?}");
    let parts = folder.results().iter().filter(|path| path.to_string_lossy().contains(".part")).count();
    assert_eq!((parts, folder.results().len()), (0, 1), "`found` is small enough");
    assert_eq!(folder.run(&["run", "a.exp"]).out, ran.out);
}

#[test]
fn the_prompt_remembers_too() {
    let folder = Folder::new("");
    let typed = |text: &str| {
        let mut command = folder.command(&["repl"]);
        command.env("LOCUS_HISTORY", folder.path("history"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    };
    let text = "axis a = 1000\nlet x = [i in a => sqrt(float(int(i)))]\nlet y = sum[a](x)\ny + 1.0\n";
    let first = typed(text);
    let entries = folder.results();
    assert_eq!(entries.len(), 2, "{first:?}");
    let before = fs::metadata(&entries[0]).unwrap().modified().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = typed(text);
    let value =
        |ran: &Ran| ran.out.lines().last().unwrap().split(" = ").nth(1).unwrap().split(' ').next().unwrap().to_string();
    assert_eq!(value(&first), value(&second), "{second:?}");
    assert!(fs::metadata(&entries[0]).unwrap().modified().unwrap() > before, "the entry was used");
}
