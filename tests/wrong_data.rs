//! Data that are not what they should be, and places that cannot be written: each is one paragraph with a code and
//! what to do, ends with 1 (or 2 if nothing ran), shows no fault of our own and leaves no part of a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn script(&self, text: impl AsRef<[u8]>) {
        self.file("a.exp", text);
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.args(args).current_dir(self.0.path()).env("LOCUS_CACHE", "off").output().unwrap()
    }

    /// Every file below the folder, sorted.
    fn all_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path.display().to_string()) }
            }
        }
        found.sort();
        found
    }
}

/// One paragraph with `code` in front and all of `words`; says what is wrong with it.
#[track_caller]
fn refused(output: &Output, exit: i32, code: &str, words: &[&str]) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{err}");
    assert!(err.starts_with(&format!("error[{code}]: ")), "not {code}: {err}");
    assert_eq!(err.matches("error[").count(), 1, "{err}");
    assert!(!err.trim_end().contains("\n\n") && err.lines().count() <= 14, "more than a paragraph: {err}");
    for bad in ["panic", "RUST_BACKTRACE", "unwrap", "src/", "R099", "this is a fault of locus"] {
        assert!(!err.contains(bad), "`{bad}` in {err}");
    }
    for word in words {
        assert!(err.contains(word), "`{word}` is not in {err}");
    }
}

/// Runs `script` on every engine, with `bytes` as its file `x`; nothing new may lie in the folder afterwards.
#[track_caller]
fn reading(bytes: &[u8], script: &str, code: &str, words: &[&str]) {
    let folder = Folder::new();
    folder.file("x", bytes);
    folder.script(format!("use std.io\naxis a, b\ninput x = file(\"x\")\n{script}\n"));
    for engine in ["jit", "interp", "interp-unoptimised"] {
        let output = folder.run(&["run", "--engine", engine, "a.exp"]);
        refused(&output, 1, code, words);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{engine}");
    }
    let parts: Vec<String> =
        folder.all_files().into_iter().filter(|path| path.contains(".locus-") || path.ends_with(".part")).collect();
    assert!(parts.is_empty(), "{parts:?}");
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded.len() as u16).to_le_bytes());
    bytes.extend(padded.as_bytes());
    bytes.extend(data);
    bytes
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

const READ_NPY: &str = "print(\"{sum[a](read_f32[a](x))}\")";
const READ_WEIGHTS: &str = "print(\"{sum[a, b](tensor[a, b](x, \"w\"))}\")";
const WEIGHTS: &str = r#"{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;

#[test]
fn files_that_are_not_there_or_are_not_files() {
    let folder = Folder::new();
    fs::create_dir(folder.path("data")).unwrap();
    folder.file("empty.npy", b"");
    folder.file("other.npy", npy("<f4", "(1,)", &floats(&[1.0])));
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("file(\"absent.npy\")", "R008", "there is no file", &["absent.npy", "a.exp:2"]),
        ("file(\"data\")", "R008", "is a folder", &["data"]),
        ("file(\"empty.npy\")", "R008", "is empty", &[]),
        ("file(\"/dev/zero\")", "R008", "outside", &["/dev/zero", "--read"]),
        ("file(\"other.npy\", sha256: \"00\")", "R009", "other.npy", &["00"]),
    ];
    for (input, code, message, words) in cases {
        folder.script(format!("axis a\ninput x = {input}\n{READ_NPY}\n"));
        let output = folder.run(&["run", "a.exp"]);
        refused(&output, 1, code, &[&[*message], *words].concat());
    }
    folder.script(format!("axis a\ninput x = file(\"/dev/zero\")\n{READ_NPY}\n"));
    refused(&folder.run(&["run", "--read", "/dev", "a.exp"]), 1, "R008", &["device"]);
    let nowhere = folder.run(&["run", "--read", "no-such-place", "a.exp"]);
    let said = String::from_utf8_lossy(&nowhere.stderr);
    assert!(nowhere.status.code() == Some(2) && said.contains("'no-such-place' for '--read <DIR>'"), "{said}");
    let wrong = "0".repeat(64);
    folder.script(format!("axis a\ninput x = file(\"other.npy\", sha256: \"{wrong}\")\n{READ_NPY}\n"));
    refused(&folder.run(&["run", "a.exp"]), 1, "R009", &["input `x`", "other.npy", &wrong, "locus bless"]);
    refused(&folder.run(&["verify", "a.exp"]), 1, "R009", &["other.npy"]);
}

#[test]
fn arrays_that_lie() {
    let whole = npy("<f4", "(3,)", &floats(&[1.0, 2.0, 3.0]));
    reading(&whole[..whole.len() - 5], READ_NPY, "R008", &["cut short", "input `x`"]);
    reading(&whole[..40], READ_NPY, "R008", &["npy header"]);
    reading(b"PK\x03\x04 zip", READ_NPY, "R008", &["not an npy file"]);
    reading(&[whole.clone(), vec![0; 4]].concat(), READ_NPY, "R008", &["after its array"]);
    reading(&npy("<f4", "(9223372036854775807, 8)", &[]), READ_NPY, "R008", &["claims"]);
    reading(&npy("|O", "(1,)", &[0; 8]), READ_NPY, "R008", &[]);
    reading(&npy("<f4", "(1, 3)", &floats(&[1.0; 3])), READ_NPY, "R008", &["1 x 3", "[a]"]);
    reading(&npy("<f4", "(3,)", &floats(&[1.0, f32::NAN, 3.0])), READ_NPY, "R006", &["NaN"]);
    reading(&npy("<f4", "(3,)", &floats(&[1.0, f32::INFINITY, 3.0])), READ_NPY, "R006", &["infinity"]);
}

#[test]
fn weights_that_lie() {
    let whole = safetensors(WEIGHTS, &floats(&[1.0; 4]));
    for end in [4, 20, whole.len() - 3] {
        reading(&whole[..end], READ_WEIGHTS, "R008", &["input `x`"]);
    }
    reading(&safetensors(&WEIGHTS.replace("[2,2]", "[2,3]"), &floats(&[1.0; 4])), READ_WEIGHTS, "R008", &["`w`"]);
    reading(&safetensors(&WEIGHTS.replace("[0,16]", "[16,32]"), &floats(&[1.0; 8])), READ_WEIGHTS, "R008", &["gap"]);
    let huge = safetensors(&WEIGHTS.replace("[2,2]", "[4294967296,4294967296]"), &[]);
    reading(&huge, READ_WEIGHTS, "R008", &["claims"]);
    reading(&[0xff; 64], READ_WEIGHTS, "R008", &["no named tensors"]);
    let data = floats(&[1.0, 2.0, f32::NAN, 4.0]);
    reading(&safetensors(WEIGHTS, &data), READ_WEIGHTS, "R006", &["`w`", "NaN at [1, 0]"]);
    let absent = "print(\"{sum[a, b](tensor[a, b](x, \"W\"))}\")";
    reading(&whole, absent, "R008", &["no tensor `W`", "did you mean `w`"]);
    reading(&whole, "print(\"{sum[a](tensor[a](x, \"w\"))}\")", "R008", &["2 x 2", "[a]"]);
}

#[test]
fn tokens_beyond_the_vocabulary() {
    let tokens: Vec<u8> = [3i64, 5, 1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let below: Vec<u8> = [3i64, -1, 1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let script = "axis v = 5\nlet emb = [i in v => float(int(i))]\nlet ids = read_index[v, a](x)\nprint(\"{sum[a](emb[v: ids])}\")";
    reading(&npy("<i8", "(3,)", &tokens), script, "R004", &["5", "`v`"]);
    reading(&npy("<i8", "(3,)", &below), script, "R004", &["-1", "`v`"]);
    reading(&npy("<f4", "(1,)", &floats(&[0.5])), script, "R008", &["input `x`"]);
}

#[test]
fn settings_that_are_no_settings() {
    let read = "print(\"{io.json_int(x, \"n_head\")}\")";
    reading(b"n_head = 4\n", read, "R008", &["not JSON"]);
    reading(b"{\"n_heads\": 4}", read, "R008", &["no `n_head`", "did you mean `n_heads`"]);
    reading(b"{\"n_head\": \"four\"}", read, "R008", &["whole number"]);
    reading(b"{\"n_head\": 4.5}", read, "R008", &["whole number"]);
    reading(b"[1, 2]", read, "R008", &["n_head"]);
    reading(&[b'['; 100_000], read, "R008", &["not JSON"]);
}

#[test]
fn a_model_with_a_wrong_configuration() {
    let folder = Folder::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/models/learned");
    let config = fs::read_to_string(data.join("config.json")).unwrap();
    let (model, models) = (data.join("model.safetensors"), data.display().to_string());
    folder.script(format!(
        "use std.models.gpt2\ninput w = file(\"{}\")\ninput c = file(\"config.json\")\nlet gpt = gpt2.load(w, c)\n\
         axis batch = 1\naxis pos = 4\nlet t = [b in batch, p in pos => index[vocab](int(p))]\n\
         capture gpt(t, gpt2.plain_ids(t)) {{ x = logits }}\nprint(\"{{max[batch, pos, vocab](x):.3}}\")\n",
        model.display()
    ));
    folder.file("config.json", &config);
    let good = folder.run(&["run", "--read", &models, "a.exp"]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let changed = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        folder.file("config.json", config.replace(from, to));
        folder.run(&["run", "--read", &models, "a.exp"])
    };
    refused(&changed("\"n_head\"", "\"heads\""), 1, "R008", &["input `c`", "`n_head`"]);
    let layers = config.split("\"n_layer\": ").nth(1).unwrap().split([',', '\n', '}']).next().unwrap();
    refused(&changed(&format!("\"n_layer\": {layers}"), "\"n_layer\": 40"), 1, "R008", &["input `w`", "lacks", "h.4."]);
    let heads = config.split("\"n_head\": ").nth(1).unwrap().split([',', '\n', '}']).next().unwrap();
    refused(
        &changed(&format!("\"n_head\": {heads}"), "\"n_head\": 7"),
        1,
        "R011",
        &["a.exp", "`n_embd`", "`n_head`, 7"],
    );
    refused(&changed(&format!("\"n_head\": {heads}"), "\"n_head\": 0"), 1, "R011", &["`n_head`, 0"]);
}

#[test]
fn results_stay_below_the_output_folder() {
    let folder = Folder::new();
    for name in ["../escaped.npy", "/tmp/escaped-by-locus.npy", "a/../../escaped.npy", ""] {
        folder.script(format!("use std.io\naxis a = 3\nio.write_npy(\"{name}\", ones[a]())\n"));
        refused(&folder.run(&["run", "a.exp"]), 1, "R007", &["output folder"]);
    }
    let plot = "axis a = 3\nplot lines { y: ones[a](), x: a, file: \"../x.svg\" }\n";
    folder.script(plot);
    refused(&folder.run(&["run", "a.exp"]), 1, "R007", &["output folder"]);
    assert!(!Path::new("/tmp/escaped-by-locus.npy").exists());
    assert!(folder.all_files().iter().all(|path| path.ends_with("a.exp")), "{:?}", folder.all_files());
}

#[test]
fn nothing_is_written_over_what_a_run_reads() {
    let folder = Folder::new();
    folder.file("near.exp", "let y = 2.0\n");
    folder.file("x.html", "an input");
    let program = |name: &str| {
        format!("use std.io\nuse \"near.exp\"\ninput x = file(\"x.html\")\nio.write_text(\"{name}\", \"new\")\n")
    };
    for name in ["a.exp", "near.exp", "x.html"] {
        folder.script(program(name));
        refused(&folder.run(&["run", "--out", ".", "a.exp"]), 1, "R008", &[name, "what this run reads"]);
    }
    folder.script(program("other.txt"));
    for (to, exit, word) in [("x.html", 1, "what this run reads"), ("a.exp", 2, ".html"), (".", 2, "folder")] {
        let output = folder.run(&["report", "--to", to, "a.exp"]);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(exit) && err.contains(word), "{to}: {err}");
    }
    assert_eq!(fs::read_to_string(folder.path("x.html")).unwrap(), "an input");
    assert_eq!(fs::read_to_string(folder.path("near.exp")).unwrap(), "let y = 2.0\n");
    assert!(folder.run(&["run", "--out", ".", "a.exp"]).status.success());
}

/// A megabyte, into a folder that takes less.
const MEGABYTE: &str =
    "use std.io\naxis a = 300000\nprint(\"before\")\nio.write_npy(\"x.npy\", ones[a]())\nprint(\"after\")\n";

#[test]
fn a_file_that_grows_beyond_a_limit_leaves_nothing() {
    let folder = Folder::new();
    folder.script(MEGABYTE);
    fs::create_dir(folder.path("out")).unwrap();
    folder.file("out/x.npy", "what was there before");
    // A limit of 64 KiB for each file; the signal that comes with it is ignored, so that the write itself fails.
    let limited = format!("trap '' XFSZ; ulimit -f 64; exec {} run a.exp", env!("CARGO_BIN_EXE_locus"));
    let output = Command::new("bash")
        .args(["-c", &limited])
        .current_dir(folder.0.path())
        .env("LOCUS_CACHE", "off")
        .output()
        .unwrap();
    refused(&output, 1, "R008", &["x.npy", "--out"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "before\n");
    assert_eq!(fs::read_to_string(folder.path("out/x.npy")).unwrap(), "what was there before");
    let left: Vec<String> = folder.all_files().into_iter().filter(|path| path.contains(".locus-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_full_disk_leaves_nothing() {
    let folder = Folder::new();
    folder.script(MEGABYTE);
    fs::create_dir(folder.path("small")).unwrap();
    let work = format!(
        "mount -t tmpfs -o size=256k none small || exit 77; mkdir small/out; {} run --out small/out a.exp; code=$?; \
         ls -A small/out > left.txt; exit $code",
        env!("CARGO_BIN_EXE_locus")
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &work])
        .current_dir(folder.0.path())
        .env("LOCUS_CACHE", "off")
        .output()
        .unwrap();
    if !folder.path("left.txt").exists() {
        eprintln!("not run: this account may not mount a small disk");
        return;
    }
    refused(&output, 1, "R008", &["x.npy", "the disk is full", "--out"]);
    let left = fs::read_to_string(folder.path("left.txt")).unwrap();
    assert!(!left.contains("x.npy") && !left.contains(".locus-"), "{left}");
}
