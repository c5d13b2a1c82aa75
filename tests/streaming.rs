//! A program on 20 times the data in the same memory, and the same bits whatever memory and threads it has.
//!
//! The program is run as people run it: memory is that of the process, its largest ever, as the system tells it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// A model with a loop, its captured sites, sums and folds over them, and a fit. It prints what it found in full.
const PROGRAM: &str = r#"
experiment "streaming" { locus: "0.1", seed: 3 }
use std.optim: adam
use std.random: normal
use std.stats

axis text = 80, word = 64, token = 50, d = 64, part = 64, depth = 4
axis sample

let embedding = normal[token, d](root, "embedding")
let places = normal[word, d](root, "places")
let weights = normal[depth, d, part](root, "weights")
fn forward(tokens: token[text, word]) -> f32[text, word, d] {
  let mut h = embedding[token: tokens] + places
  for l in depth {
    site before = h
    site inner = 0.1 * (h @[d] weights[depth: l])
    h = h + 0.2 * maximum(inner, 0.0)[part -> d]
  }
  h
}
let model = { forward: fn(tokens) => forward(tokens) }
"#;

fn program() -> String {
    format!(
        "{PROGRAM}
let tokens = expand[word]([t in text => index[token](int(t) * 7919 % 50)])
let seen = capture model(tokens) {{ x = before, inner = inner }}
let last = seen.x[depth: 3]
let centred = last - mean[text, word](last)
print(\"{{total(centred * centred)}} {{total(max[text](seen.inner))}} {{sum64[text, word, part](last[d -> part] * seen.inner)[depth: 2]}}\")
let folded = fold[text](centred, adding(fn(t) => sum64[text](sum64[word](t) ^ 2)))
print(\"{{total(folded)}} {{total(last @[text] last)}}\")
let x = last[(text, word) -> sample]
fit line {{
  data:  {{ x: x }}
  over:  sample
  init:  fn(key) => {{ w: zeros[d](), b: 0.0 }}
  loss:  fn(p, b) => mean[sample]((b.x @[d] p.w + f32(p.b) - 1.0) ^ 2)
  optim: adam(lr: 0.01)
  steps: 40
  batch: 64
}}
print(\"{{total(line.w * line.w)}} {{line.b}}\")
"
    )
}

fn command(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
    command.arg("run").args(options).current_dir(folder);
    command
}

fn set(texts: usize) -> [String; 2] {
    ["--set".into(), format!("text={texts}")]
}

/// What the program prints.
fn printed(folder: &Path, options: &[&str]) -> String {
    let output = command(folder, options).arg("some.exp").output().unwrap();
    assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The largest resident memory of the program at its end, in KiB: it waits there in a loop.
fn peak(folder: &Path, options: &[&str]) -> u64 {
    let mut child =
        command(folder, options).arg("waits.exp").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ended = lines.map_while(Result::ok).any(|line| line == "end");
    if !ended {
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        panic!("{options:?}: {told}");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let _ = child.kill();
    let _ = child.wait();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("some.exp"), program()).unwrap();
    fs::write(folder.path().join("waits.exp"), format!("{}print(\"end\")\nwhile true {{ }}\n", program())).unwrap();
    folder
}

#[test]
fn memory_and_threads_change_no_bit() {
    let folder = folder();
    let all = set(400);
    let base: Vec<&str> = all.iter().map(String::as_str).collect();
    let mut results: Vec<(String, String)> = Vec::new();
    for memory in ["120M", "200M", "400M", "3G", ""] {
        for threads in ["1", "2", "3"] {
            let mut options = base.clone();
            options.extend(["--threads", threads]);
            if !memory.is_empty() {
                options.extend(["--memory", memory]);
            }
            results.push((format!("{memory} {threads}"), printed(folder.path(), &options)));
        }
    }
    let (_, first) = &results[0];
    assert!(first.lines().count() == 3 && !first.contains("NaN"), "{first}");
    for (how, text) in &results {
        assert_eq!(text, first, "{how}");
    }
}

#[test]
fn twenty_times_the_data_take_the_same_memory() {
    let folder = folder();
    // The least of three: which thread holds what at a moment is chance.
    let with = |all: &[String; 2], memory: &str| {
        let mut options: Vec<&str> = all.iter().map(String::as_str).collect();
        options.extend(["--memory", memory]);
        (0..3).map(|_| peak(folder.path(), &options)).min().unwrap_or(0)
    };
    // The second limit is none for this program: its tiles alone reach what is kept of them in memory.
    for (sizes, memory, bound) in [([200, 4000], "120M", 120_000_000), ([1000, 20_000], "8G", 250_000_000)] {
        let [small, large] = sizes.map(|texts| with(&set(texts), memory));
        println!("peaks: {small} and {large} KiB, {:.3}", large as f64 / small as f64);
        assert!(large as f64 <= 1.05 * small as f64, "{memory}: {small} and {large} KiB");
        assert!(large * 1024 <= bound, "{memory}: {large} KiB");
    }
}

#[test]
fn what_does_not_fit_says_how_much_it_is() {
    let folder = folder();
    let program = format!("{}print(\"{{total(sort[text](last))}}\")\n", program());
    fs::write(folder.path().join("some.exp"), program).unwrap();
    let mut options: Vec<String> = set(4000).into();
    options.extend(["--memory".to_string(), "120M".to_string()]);
    let output = command(folder.path(), &options.iter().map(String::as_str).collect::<Vec<_>>())
        .arg("some.exp")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("R010") && told.contains("65.5 MB") && told.contains("along `text`"), "{told}");
    let output = command(folder.path(), &["--disk", "1M", "--set", "text=400", "--memory", "120M"])
        .arg("some.exp")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("R010") && told.contains("--disk"), "{told}");
}

/// A corpus read from a file, and what is known of every token of windows at random places of it.
const CORPUS: &str = r#"
use std.text
axis stream, document
input file = file("corpus.jsonl")
let corpus = text.read_ids[vocab, stream, document](file, column: "ids", start: 7)
let starts = text.random_starts[batch](corpus, root, "windows", 500, 32)
let drawn = text.windows[pos](corpus, starts, 32)
# Token i of document d is (d + i) % 50000, and a 7 stands in front.
let wanted = where(drawn.index == 0, 7, (drawn.document + drawn.index - 1) % 50000)
print("{size[stream](corpus.tokens)} {size[document](corpus.begins)} {all[batch, pos](int(drawn.tokens) == wanted)}")
print("{sum64[stream](int(corpus.tokens))}")
"#;

/// JSON lines of documents with 1,000 ids each; the number of tokens and their sum, the start tokens included.
fn corpus(folder: &Path, documents: usize) -> (usize, usize) {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(fs::File::create(folder.join("corpus.jsonl")).unwrap());
    let mut sum = 0;
    for document in 0..documents {
        let ids: Vec<String> = (0..1000).map(|i| ((document + i) % 50_000).to_string()).collect();
        sum += 7 + (0..1000).map(|i| (document + i) % 50_000).sum::<usize>();
        writeln!(out, "{{\"url\": \"{document}\", \"ids\": [{}]}}", ids.join(", ")).unwrap();
    }
    out.flush().unwrap();
    (documents * 1001, sum)
}

#[test]
fn a_corpus_larger_than_its_memory_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("experiment \"corpus\" {{ locus: \"0.1\", seed: 3 }}\n{CORPUS}");
    fs::write(folder.path().join("some.exp"), &text).unwrap();
    fs::write(folder.path().join("waits.exp"), format!("{text}print(\"end\")\nwhile true {{ }}\n")).unwrap();
    let options = ["--memory", "120M", "--fresh"];
    let mut peaks = Vec::new();
    for documents in [1000, 11_000] {
        let (tokens, sum) = corpus(folder.path(), documents);
        if documents == 1000 {
            let printed = printed(folder.path(), &options);
            assert_eq!(printed, format!("{tokens} {documents} true\n{sum}.0\n"));
        }
        peaks.push(peak(folder.path(), &options));
    }
    let bytes = fs::metadata(folder.path().join("corpus.jsonl")).unwrap().len();
    println!("a file of {bytes} bytes, peaks {peaks:?} KiB");
    // The file is one of those that are left on disk; its tokens take 88 MB.
    assert!(bytes > 64 << 20 && peaks.iter().all(|peak| peak * 1024 < 120_000_000), "{peaks:?} KiB");
}
