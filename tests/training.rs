//! Training as people start it: `examples/train_gpt.exp` under every scheme at a small size, and a model that is written
//! and read again.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a run prints; it must end well.
fn locus(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
    let output = command.args(args).current_dir(folder).env("LOCUS_CACHE", "off").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The example at a size that takes a second or two.
const REDUCED: &[&str] = &[
    "steps=3",
    "pos=64",
    "batch=4",
    "dmodel=16",
    "dmlp=24",
    "head=2",
    "dhead=8",
    "layer=2",
    "judge_every=64",
    "for_peers=true",
];

fn trained(scheme: &str, out: &Path) -> String {
    let program = root().join("examples/train_gpt.exp");
    let (program, out, scheme) = (program.display().to_string(), out.display().to_string(), format!("scheme={scheme}"));
    let mut args = vec!["run", "--out", &out, "--set", &scheme];
    REDUCED.iter().for_each(|setting| args.extend(["--set", setting]));
    args.push(&program);
    locus(root(), &args)
}

#[test]
fn every_scheme_trains_from_one_file() {
    for scheme in ["learned", "sinusoidal", "rotary", "shortformer", "learned_offset"] {
        let folder = tempfile::tempdir().unwrap();
        let said = trained(scheme, folder.path());
        let line = said.lines().find(|line| line.contains("held-out loss")).unwrap_or_else(|| panic!("{said}"));
        let word = line.split_whitespace().skip_while(|word| *word != "loss").nth(1).unwrap_or("");
        // Three steps from the start: near that of guessing, ln 2048 = 7.62.
        assert!((7.0..8.0).contains(&word.parse::<f64>().unwrap()), "{line}");
        for name in
            ["model.safetensors", "config.json", "loss.npy", "loss.svg", "starts.npy", "ids.npy", "first/config.json"]
        {
            assert!(folder.path().join(name).exists(), "{scheme} has written no {name}");
        }
        let config = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        let plain = scheme.starts_with("learned");
        assert_eq!(config["model_type"], if plain { "gpt2" } else { "locus_gpt" });
        assert_eq!(config["position_scheme"], scheme.trim_end_matches("_offset"));
        assert_eq!(
            config["n_positions"],
            if scheme == "learned_offset" { 512 } else { 256 * i32::from(plain || scheme == "shortformer") }
        );
    }
}

/// A program in a folder of its own.
fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const SIZES: &str = "axis batch = 2\naxis pos = 6\naxis ctx = 9\naxis vocab = 11\naxis dmodel = 8\naxis dmlp = 12\n\
                     axis head = 2\naxis dhead = 4\naxis layer = 2\n";

const SHOWN: &str = "let tokens = [b in batch, p in pos => index[vocab]((3 * int(b) + 5 * int(p)) % 11)]\n\
                     let ids = [b in batch, p in pos => int(b) + int(p)]\n\
                     let x = model.forward(tokens, ids)\n\
                     for p in pos { print(\"{x[batch: 0, pos: p, vocab: 3]:.7} {x[batch: 1, pos: p, vocab: 10]:.7}\") }\n";

#[test]
fn a_model_that_is_written_is_read_again() {
    let told =
        ["\"learned\"", "\"rotary\", layout: \"pairs\", turned: 2, factor: 2.5", "\"shortformer\", norm: \"post\""];
    for how in told {
        let folder = tempfile::tempdir().unwrap();
        let start = format!("use std.models.small\nlet how = small.settings({how})\n");
        let write = format!(
            "{start}{SIZES}let p = small.init(root, how)\nlet model = small.model(p, how)\n{SHOWN}small.save(p, how)\n"
        );
        program(folder.path(), "write.exp", &write);
        let read = format!(
            "{start}axis batch = 2\naxis pos = 6\naxis vocab = 11\ninput weights = file(\"out/model.safetensors\")\n\
             input config = file(\"out/config.json\")\nlet model = small.load(weights, config, how)\n{SHOWN}"
        );
        program(folder.path(), "read.exp", &read);
        let (written, again) =
            (locus(folder.path(), &["run", "write.exp"]), locus(folder.path(), &["run", "read.exp"]));
        let numbers = |text: &str| text.lines().take(6).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(numbers(&written), numbers(&again), "{how}");
        assert_eq!(numbers(&again).len(), 6);
        // Another scheme than the file's is refused by name.
        program(
            folder.path(),
            "wrong.exp",
            &read.replace(&format!("small.settings({how})"), "small.settings(\"none\")"),
        );
        let output = Command::new(env!("CARGO_BIN_EXE_locus"))
            .args(["run", "wrong.exp"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("position_scheme"), "{said}");
    }
}
