//! Bundles: what is bundled is verified elsewhere, the same content is the same bytes, and no forged bundle is believed.
//! `UPDATE=1` rewrites what the reader of each forged bundle answers.

#[path = "bundles/forge.rs"]
mod forge;
#[path = "common/npy.rs"]
mod npy;

use forge::{Archive, INPUT, PROGRAM};
use locus::session::bundle;
use npy::npy;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        // Its own place for temporary files, to see what is left there.
        fs::create_dir_all(self.path("tmp")).unwrap();
        command.args(args).current_dir(self.0.path()).env("LOCUS_CACHE", "off").env("TMPDIR", self.path("tmp"));
        command
    }

    #[track_caller]
    fn locus(&self, args: &[&str]) -> Ran {
        // Programs here read what lies above their folder; a bundle needs nobody's leave for its own files.
        let program = args.iter().any(|arg| arg.ends_with(".exp"));
        let reads: &[&str] = if program { &["--read", "."] } else { &[] };
        let ran = Ran::from(self.command(&[args, reads].concat()).output().unwrap());
        let left = fs::read_dir(self.path("tmp")).unwrap().count();
        assert_eq!(left, 0, "temporary files are left after {args:?}: {ran:?}");
        ran
    }

    /// The names of all files below a folder.
    fn names(&self, folder: &str) -> BTreeSet<String> {
        let root = self.path(folder);
        let (mut found, mut folders) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found
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

const SCRIPT: &str = "## A demonstration.\n\nexperiment \"demo\" { locus: \"0.1\", seed: 3 }\n\nuse \"lib/near.exp\" as near\nuse std.io\n\n\
axis a\nlet k = 2\n\n## Three numbers.\n## They lie in the shop.\ninput x = file(\"../data/x.npy\")\n\
let s = float(sum[a](read_f32[a](x)))\nio.write_npy(\"x.npy\", read_f32[a](x))\n\n\
expect {\n  near.twice(s) ~ 15.0 +- 0.001\n  k == 2\n}\n";

/// A program with a module below it and an input above it.
fn demo() -> Folder {
    let folder = Folder::new();
    folder.file("sub/a.exp", SCRIPT);
    folder.file("sub/lib/near.exp", "## Near.\n\nfn twice(x: float) -> float { 2.0 * x }\n");
    folder.file("data/x.npy", npy(&[1.0, 2.0, 4.5]));
    folder
}

fn bundled() -> (Folder, Vec<u8>) {
    let folder = demo();
    folder
        .locus(&["bundle", "sub/a.exp", "--threads", "1", "--to", "a.zip"])
        .expect(0, &["wrote a.zip, 4 files", "identity"]);
    let bytes = fs::read(folder.path("a.zip")).unwrap();
    (folder, bytes)
}

#[test]
fn a_bundle_is_verified_where_nothing_else_is() {
    let (_, bytes) = bundled();
    let other = Folder::new();
    other.file("a.zip", &bytes);
    let ran = other.locus(&["verify", "a.zip"]);
    ran.expect(0, &["sound bundle", "2 of 2 hold", "2 of 2 numbers, 1 of 1 written files are the same to the bit"]);
    assert_eq!(other.names("."), BTreeSet::from(["a.zip".to_string()]), "nothing is left behind");
    other.locus(&["inspect", "a.zip"]).expect(0, &["files/program/a.exp", "files/data/x.npy", "demo, seed 3", "holds"]);
    // Kept, moved, and judged again as a folder.
    other.locus(&["verify", "a.zip", "--unpack", "kept"]).expect(0, &["unpacked into kept", "2 of 2 hold"]);
    fs::rename(other.path("kept"), other.path("moved")).unwrap();
    other.locus(&["verify", "moved"]).expect(0, &["2 of 2 hold", "1 of 1"]);
    other.locus(&["verify", "a.zip", "--unpack", "moved"]).expect(2, &["there already"]);
    other.locus(&["verify", "moved/files/program/a.exp"]).expect(0, &["2 of 2 hold"]);
    other.file("moved/files/data/x.npy", npy(&[1.0, 2.0, 4.0]));
    other.locus(&["verify", "moved"]).expect(2, &["R009", "not the file that was bundled", "x.npy"]);
}

#[cfg(unix)]
#[test]
fn the_same_content_is_the_same_bytes() {
    let (folder, bytes) = bundled();
    let again = |folder: &Folder, script: &str| {
        let line = format!(
            "umask 077; exec {} bundle {script} --read . --threads 1 --to again.zip",
            env!("CARGO_BIN_EXE_locus")
        );
        let mut command = folder.command(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(folder.0.path()).env("LOCUS_CACHE", "off").env("TZ", "Asia/Tokyo");
        shell.env("LC_ALL", "tr_TR.UTF-8").env("TMPDIR", folder.path("tmp")).env("HOSTNAME", "other");
        drop(command.output());
        Ran::from(shell.output().unwrap()).expect(0, &["wrote"]);
        fs::read(folder.path("again.zip")).unwrap()
    };
    assert_eq!(again(&folder, "sub/a.exp"), bytes);
    // In another folder, whose name differs too, with younger files.
    let other = demo();
    fs::rename(other.path("sub"), other.path("thesis")).unwrap();
    assert_eq!(again(&other, "thesis/a.exp"), bytes);
    let whole = other.path("thesis/a.exp").display().to_string();
    assert_eq!(again(&other, &whole), bytes);
    let text = String::from_utf8_lossy(&bytes);
    for private in ["thesis", "sub/", "/tmp", "seconds"] {
        assert!(!text.contains(private), "a bundle holds `{private}`");
    }
}

#[test]
fn inputs_that_are_left_out_are_described_and_can_be_given() {
    let folder = demo();
    folder.file("model/config.json", "{\"x\": 1}");
    folder.file(
        "sub/b.exp",
        "use std.io\ninput m = folder(\"../model\")\naxis a\ninput x = file(\"../data/x.npy\")\n\
        expect {\n  io.json_int(m, \"x\") == 1\n  float(sum[a](read_f32[a](x))) ~ 7.5 +- 0.1\n}\n",
    );
    let words = ["not enclosed", "m: a folder of 8 B", "from https://example.org/m"];
    folder
        .locus(&["bundle", "sub/b.exp", "--to", "b.zip", "--without", "m,x", "--from", "m=https://example.org/m"])
        .expect(0, &words);
    let other = Folder::new();
    fs::copy(folder.path("b.zip"), other.path("b.zip")).unwrap();
    other
        .locus(&["verify", "b.zip"])
        .expect(2, &["only describes", "--input NAME=PATH", "x: a file of 140 B", "https://example.org/m"]);
    let (model, x) = (folder.path("model"), folder.path("data/x.npy"));
    let (model, x) = (format!("m={}", model.display()), format!("x={}", x.display()));
    other.locus(&["verify", "b.zip", "--input", &model]).expect(2, &["x: a file"]);
    other.locus(&["verify", "b.zip", "--input", &model, "--input", &x]).expect(0, &["2 of 2 hold"]);
    other.locus(&["verify", "b.zip", "--input", &model, "--input", &x.replace("x=", "m=")]).expect(2, &["m"]);
    other.file("wrong.npy", npy(&[1.0, 2.0, 4.0]));
    other.locus(&["verify", "b.zip", "--input", &model, "--input", "x=wrong.npy"]).expect(2, &["R009", "wrong.npy"]);
    other.locus(&["verify", "b.zip", "--input", "y=wrong.npy"]).expect(2, &["no input `y`"]);
    // Unpacked, what is missing is put into its place.
    other.locus(&["verify", "b.zip", "--unpack", "kept"]).expect(2, &["only describes"]);
    other.file("kept/files/data/x.npy", npy(&[1.0, 2.0, 4.5]));
    other.file("kept/files/model/config.json", "{\"x\": 2}");
    other.locus(&["verify", "kept"]).expect(2, &["R009", "model"]);
    other.file("kept/files/model/config.json", "{\"x\": 1}");
    other.locus(&["verify", "kept"]).expect(0, &["2 of 2 hold"]);
    // Too large is left out by itself.
    folder.locus(&["bundle", "sub/b.exp", "--to", "c.zip", "--largest", "100"]).expect(0, &["x: a file", "wrote"]);
    folder.locus(&["inspect", "c.zip"]).expect(0, &["not in the bundle", "files/model/config.json"]);
}

#[test]
fn what_cannot_be_bundled_is_one_clear_error() {
    let folder = demo();
    let fails = |args: &[&str], code: i32, words: &[&str]| {
        let ran = folder.locus(&[&["bundle"], args].concat()).expect(code, words);
        assert!(ran.err.lines().count() < 16, "{ran:?}");
        assert!(!folder.path("out/bad.zip").exists());
    };
    folder.file("bad.exp", "expect {\n  1 + 1 == 3\n}\n");
    fails(&["bad.exp"], 1, &["do not hold", "--no-run", "no bundle was written"]);
    folder.file("bad.exp", "let x = \n");
    fails(&["bad.exp"], 2, &["no bundle was written"]);
    fails(&["bad.exp", "--no-run"], 2, &["no bundle was written"]);
    fails(&["absent.exp"], 2, &["there is no such file"]);
    fails(&["sub/a.exp", "--without", "y"], 1, &["no input `y`", "x"]);
    fails(&["sub/a.exp", "--from", "X=here"], 1, &["no input `X`"]);
    fails(&["sub/a.exp", "--to", "a.exp"], 2, &[".zip"]);
    fails(&["sub/a.exp", "--to", "sub"], 2, &["folder"]);
    let absolute = folder.path("data/x.npy").display().to_string();
    for (path, words) in [(absolute.as_str(), "is absolute"), ("data/../data/x.npy", "without the detour")] {
        folder.file("bad.exp", format!("input x = file(\"{path}\")\n"));
        fails(&["bad.exp"], 1, &[words, "`x`"]);
    }
    folder.file("data/x?.npy", npy(&[1.0]));
    folder.file("bad.exp", "input x = file(\"data/x?.npy\")\n");
    fails(&["bad.exp"], 1, &["holds `?`"]);
    folder.file("data/X.npy", npy(&[1.0]));
    folder.file("bad.exp", "input x = file(\"data/x.npy\")\ninput y = file(\"data/X.npy\")\n");
    fails(&["bad.exp"], 1, &["one name where case does not count"]);
    folder.file("bad.exp", "input x = file(\"data/gone.npy\")\n");
    fails(&["bad.exp", "--no-run"], 1, &["gone.npy"]);
    fails(&["bad.exp", "--no-run", "--without", "x"], 1, &["neither here nor known by its hash"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path("sub/lib/near.exp"), folder.path("sub/lib/link.exp")).unwrap();
        folder.file("sub/bad.exp", "use \"lib/link.exp\" as near\nexpect {\n  near.twice(1.0) ~ 2.0 +- 0.1\n}\n");
        fails(&["sub/bad.exp"], 1, &["would not check elsewhere", "a file of its own"]);
    }
}

#[test]
fn a_bundle_runs_as_it_was_bundled() {
    let folder = demo();
    folder.file("sub/c.exp", "let k = 2\nexpect {\n  k == 5\n}\n");
    folder.locus(&["bundle", "sub/c.exp", "--set", "k=5", "--to", "c.zip"]).expect(0, &["wrote"]);
    folder.locus(&["verify", "c.zip"]).expect(0, &["1 of 1 hold"]);
    folder
        .locus(&["verify", "c.zip", "--set", "k=6"])
        .expect(1, &["set", "recorded: k = 5   now: k = 6", "off by", "found"]);
    folder.locus(&["bundle", "sub/c.exp", "--no-run", "--to", "d.zip"]).expect(0, &["wrote"]);
    folder.locus(&["inspect", "d.zip"]).expect(0, &["was not run"]);
    folder.locus(&["verify", "d.zip"]).expect(1, &["0 of 1 hold", "no earlier run"]);
}

#[cfg(unix)]
#[test]
fn a_bundle_in_a_folder_that_nobody_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let (_, bytes) = bundled();
    let other = Folder::new();
    other.file("deep/a.zip", &bytes);
    fs::set_permissions(other.path("deep/a.zip"), fs::Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(other.path("deep"), fs::Permissions::from_mode(0o500)).unwrap();
    let mut command = other.command(&["verify", "a.zip"]);
    let ran = Ran::from(command.current_dir(other.path("deep")).output().unwrap());
    fs::set_permissions(other.path("deep"), fs::Permissions::from_mode(0o700)).unwrap();
    ran.expect(0, &["2 of 2 hold"]);
}

/// What people read when an expectation fails, after each of several changes.
#[test]
fn a_failed_expectation_is_explained_by_what_differs() {
    let folder = demo();
    let mut archive = Archive::read(&bundled().1);
    let last = archive.members.len() - 1;
    let conditions = archive.members[last].data.clone();
    let machine: serde_json::Value = serde_json::from_slice(&conditions).unwrap();
    let (kernel, processor) = (machine["kernel"].as_str().unwrap(), machine["processor"].as_str().unwrap());
    let mut text = String::new();
    let mut step = |what: &str, args: &[&str]| {
        let one: &[&str] = if args.contains(&"--threads") { &[] } else { &["--threads", "1"] };
        let ran = folder.locus(&[&["verify", "--out", "out"], one, args].concat());
        let told = ran.err.replace(kernel, "KERNEL").replace(processor, "PROCESSOR");
        text += &format!("---- {what}: ends with {}\n{told}", ran.code);
    };
    let module = |factor: &str| format!("## Near.\n\nfn twice(x: float) -> float {{ {factor} * x }}\n");
    let wrong = SCRIPT.replace("~ 15.0", "~ 15.5");
    folder.file("sub/new.exp", &wrong);
    step("never ran before", &["sub/new.exp"]);
    step("ran before, and failed", &["sub/new.exp"]);
    step("good", &["sub/a.exp"]);
    folder.file("sub/lib/near.exp", module("2.5"));
    step("a module changed", &["sub/a.exp"]);
    step("again: the good run is not forgotten", &["sub/a.exp"]);
    folder.file("sub/lib/near.exp", module("2.0"));
    folder.file("data/x.npy", npy(&[1.0, 2.0, 4.0]));
    step("an input changed", &["sub/a.exp"]);
    folder.file("data/x.npy", npy(&[1.0, 2.0, 4.5]));
    folder.file("sub/a.exp", SCRIPT.replace("seed: 3", "seed: 4"));
    step(
        "another seed and another value, two engines and threads",
        &["sub/a.exp", "--set", "k=3", "--engine", "interp", "--threads", "2"],
    );
    folder.file("sub/a.exp", SCRIPT);
    let conditions = String::from_utf8(conditions).unwrap().replace("\"threads\": 1", "\"threads\": 8");
    let conditions = conditions.replace(&format!("\"kernel\": \"{kernel}\""), "\"kernel\": \"Zen\"");
    archive.set(last, conditions.replace(processor, "Another One").as_bytes());
    archive.replace(PROGRAM, wrong.as_bytes());
    folder.file("a.zip", archive.bytes());
    step("a bundle of another machine", &["a.zip"]);
    same_as("tests/bundles/explained.txt", &text);
}

/// Compares with a file of the tree, or rewrites it.
#[track_caller]
fn same_as(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap_or_default());
}

/// What the reader answers to each forged bundle, told apart from where it lies.
fn answer(folder: &Path, bytes: &[u8]) -> String {
    let path = folder.join("forged.zip");
    fs::write(&path, bytes).unwrap();
    let stop = AtomicBool::new(false);
    let error = match bundle::unpack(&path, Some(&folder.join("inner/target")), &stop) {
        Err(error) => error,
        Ok(_) => return "BELIEVED".to_string(),
    };
    let listed = bundle::text(&path).expect_err("a forged bundle was listed");
    assert_eq!(listed.message, error.message);
    assert_eq!(error.code, "R008");
    error.message.replace(&path.display().to_string(), "forged.zip")
}

#[test]
fn forged_bundles_are_refused_and_leave_nothing() {
    let (_, sound) = bundled();
    let folder = Folder::new();
    fs::create_dir(folder.path("inner")).unwrap();
    let cases = forge::cases(&sound);
    let mut text = String::new();
    for (name, bytes) in &cases {
        assert_ne!(*bytes, sound, "{name} is no forgery");
        text += &format!("{name}\n    {}\n", answer(folder.0.path(), bytes));
        let left = folder.names(".");
        assert_eq!(left, BTreeSet::from(["forged.zip".to_string()]), "{name}");
        assert_eq!(fs::read_dir(folder.path("inner")).unwrap().count(), 0, "{name}");
    }
    assert!(cases.len() >= 100, "only {} forged bundles", cases.len());
    assert!(!text.contains("BELIEVED"), "{text}");
    same_as("tests/bundles/forged.txt", &text);
}

#[test]
fn any_changed_byte_is_noticed() {
    let (folder, sound) = bundled();
    let path = folder.path("changed.zip");
    for at in (0..sound.len()).step_by(11) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x20;
        fs::write(&path, bytes).unwrap();
        assert!(bundle::text(&path).is_err(), "byte {at} of {}", sound.len());
    }
    fs::write(&path, sound).unwrap();
    assert!(bundle::text(&path).is_ok());
}

/// Bundles that hold together, with programs that want more than they say: refused before they run.
#[test]
fn a_program_that_reads_more_than_its_manifest_says_is_not_run() {
    let (_, sound) = bundled();
    let folder = Folder::new();
    let forged = |change: &dyn Fn(&str) -> String| {
        let mut archive = Archive::read(&sound);
        archive.replace(PROGRAM, change(SCRIPT).as_bytes());
        archive.bytes()
    };
    fn other(path: &'static str) -> impl Fn(&str) -> String {
        move |script| script.replace("../data/x.npy", path)
    }
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("above", forged(&other("../../../x.npy")), "leads out of the bundle"),
        ("absolute", forged(&other("/etc/passwd")), "is absolute"),
        ("another", forged(&other("../data/y.npy")), "which the manifest does not list"),
        ("module", forged(&|script| script.replace("lib/near.exp", "lib/far.exp")), "far.exp"),
        ("detour", forged(&other("../data/../data/x.npy")), "detour"),
    ];
    for (name, bytes, words) in cases {
        folder.file("a.zip", bytes);
        let ran = folder.locus(&["verify", "a.zip", "--out", "results"]).expect(2, &[words]);
        assert!(!ran.out.contains("holds") && !folder.path("results").exists(), "{name}: {ran:?}");
    }
    // The rest of this test would prove nothing if this were refused too.
    let mut archive = Archive::read(&sound);
    archive.replace(PROGRAM, SCRIPT.replace("demo", "Demo").as_bytes());
    archive.edit(|manifest| manifest["program"]["experiment"] = "Demo".into());
    folder.file("a.zip", archive.bytes());
    folder.locus(&["verify", "a.zip"]).expect(0, &["2 of 2 hold"]);
}

/// A consistent bundle with other content is another bundle: its expectations judge it.
#[test]
fn another_input_is_told_by_what_was_recorded() {
    let (_, sound) = bundled();
    let folder = Folder::new();
    let mut archive = Archive::read(&sound);
    let data = npy(&[1.0, 2.0, 4.0]);
    archive.replace(INPUT, &data);
    archive.edit(|manifest| manifest["inputs"][0]["sha256"] = forge::sha256(&data).into());
    folder.file("a.zip", archive.bytes());
    let words = ["1 of 2 hold", "near.twice(s) = 14", "off by", "1000 times the tolerance", "then", "15"];
    folder.locus(&["verify", "a.zip"]).expect(1, &words);
}

/// `locus verify a.zip | head -1` ends at once, and leaves as little behind as any other end.
#[test]
fn a_reader_that_leaves_leaves_nothing_behind() {
    let (folder, _) = bundled();
    let mut child = folder.command(&["verify", "a.zip"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0);
}

/// A folder is the files in it that count: one more, or one less, is another input.
#[test]
fn a_folder_is_held_to_its_files() {
    let folder = Folder::new();
    folder.file("model/config.json", "{\"x\": 1}");
    folder.file("model/notes.txt", "not an input");
    folder.file("model/extra.bin", "of another input");
    let script = "use std.io\nuse std.raw\ninput m = folder(\"model\")\ninput other = file(\"model/extra.bin\")\n\
                  expect {\n  io.json_int(m, \"x\") == 1\n  raw.file_format(other) == \"text\"\n}\n";
    folder.file("a.exp", script);
    folder.locus(&["bundle", "a.exp", "--to", "a.zip"]).expect(0, &["3 files"]);
    folder.locus(&["verify", "a.zip", "--unpack", "kept"]).expect(0, &["2 of 2"]);
    folder.file("kept/files/model/tokenizer.json", "{}");
    folder.locus(&["verify", "kept"]).expect(2, &["reads other files in `model`"]);
    // Left out, while a file in it is not.
    folder.locus(&["bundle", "a.exp", "--without", "m", "--to", "b.zip"]).expect(0, &["2 files", "m: a folder"]);
    folder.locus(&["verify", "b.zip"]).expect(2, &["only describes", "m: a folder"]);
    folder.locus(&["verify", "b.zip", "--input", "m=model"]).expect(0, &["2 of 2"]);
    folder.locus(&["verify", "b.zip", "--input", "m=a.exp"]).expect(2, &["is a file", "is a folder"]);
    folder.file("model/config.json", "{\"x\": 2}");
    folder.locus(&["verify", "b.zip", "--input", "m=model"]).expect(2, &["R009"]);
}
