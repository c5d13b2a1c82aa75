//! Dictionaries of other programs, written in every format and read again.
//!
//! `tests/reference/dictionaries_of_peers` holds what five programs wrote. Each goes to each format that can say it, and back to its own:
//! the same bytes as if it had gone there at once, or what a format cannot say is said.

use locus::session::convert::{Format, convert};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FORMATS: [(&str, Format); 5] = [
    ("saelens", Format::SaeLens),
    ("sparsify", Format::Sparsify),
    ("dl", Format::DictionaryLearning),
    ("gemma", Format::GemmaScope),
    ("openai", Format::OpenAi),
];

/// Ways that round: Gemma Scope and JumpReluAutoEncoder subtract nothing from the input, so that b_enc takes over b_dec W_enc, and the
/// rows of an AutoEncoder have length 1.
const ROUNDED: [(&str, &str); 10] = [
    ("dl_batchtopk", "gemma"),
    ("dl_matryoshka", "gemma"),
    ("openai_relu", "dl"),
    ("saelens_batchtopk", "gemma"),
    ("saelens_jumprelu", "dl"),
    ("saelens_jumprelu", "gemma"),
    ("saelens_matryoshka", "gemma"),
    ("saelens_old", "dl"),
    ("saelens_standard", "dl"),
    ("saelens_standard_f16", "dl"),
];

/// SAELens' jumprelu has no k, and that of a BatchTopKSAE comes back as 1; what it computes has no use for it.
const WITHOUT_K: [(&str, &str); 2] = [("dl_batchtopk", "saelens"), ("dl_matryoshka", "saelens")];

/// How much codes may differ where a way rounds, of the largest.
const ROUNDING: f64 = 1e-6;

fn peers() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/dictionaries_of_peers");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let file = |path: PathBuf| match ["params.npz", "autoencoder.pt"].iter().find(|name| path.join(name).exists()) {
        Some(name) => path.join(name),
        None => path,
    };
    let mut found: Vec<_> =
        folders.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), file(path))).collect();
    found.sort();
    found
}

/// The bytes of a file, or of all files of a folder.
fn bytes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    if path.is_file() {
        return [(String::new(), std::fs::read(path).unwrap())].into();
    }
    let file = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
    std::fs::read_dir(path).unwrap().map(|entry| file(entry.unwrap().path())).collect()
}

/// How much codes differ, of the largest, as `locus convert` says it.
fn apart(said: &str) -> f64 {
    let rest = said.split("codes differ by ").nth(1).unwrap_or("0 ");
    rest.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

fn write(from: &Path, to: &Path, format: Format) -> Result<Vec<String>, String> {
    convert(from, to, format, &Arc::default()).map_err(|diagnostic| diagnostic.message.clone())
}

/// The same folder with nothing that only SAELens has a place for.
fn without_metadata(source: &Path, folder: &Path) -> PathBuf {
    let Ok(settings) = std::fs::read(source.join("cfg.json")) else { return source.to_path_buf() };
    let mut settings: serde_json::Value = serde_json::from_slice(&settings).unwrap();
    settings.as_object_mut().unwrap().remove("metadata");
    let bare = folder.join("bare");
    std::fs::create_dir(&bare).unwrap();
    for entry in std::fs::read_dir(source).unwrap().map(|entry| entry.unwrap()) {
        std::fs::copy(entry.path(), bare.join(entry.file_name())).unwrap();
    }
    std::fs::write(bare.join("cfg.json"), settings.to_string()).unwrap();
    bare
}

#[test]
fn every_format_and_back() {
    let (mut written, mut exact, mut refused, mut faults) = (0, 0, 0, Vec::new());
    for (name, source) in peers() {
        let folder = tempfile::tempdir().unwrap();
        let (own, own_format) = *FORMATS.iter().find(|(start, _)| name.starts_with(start)).unwrap();
        let canonical = folder.path().join("own");
        if let Err(fault) = write(&without_metadata(&source, folder.path()), &canonical, own_format) {
            faults.push(format!("{name} as {own}: {fault}"));
            continue;
        }
        for (other, format) in FORMATS {
            let (there, back) = (folder.path().join(other), folder.path().join(format!("{other}-back")));
            let said = match write(&canonical, &there, format) {
                Ok(said) => said.concat(),
                // A refusal says what the format cannot, and what this dictionary is.
                Err(refusal) => {
                    refused += 1;
                    if !refusal.contains("; this is ") {
                        faults.push(format!("{name} as {other}: {refusal}"));
                    }
                    continue;
                }
            };
            written += 1;
            let same = said.contains("the same to the bit");
            if let Err(fault) = write(&there, &back, own_format) {
                faults.push(format!("{name} from {other} back to {own}: {fault}"));
            } else if same && bytes(&back) == bytes(&canonical) {
                exact += 1;
            } else if same && WITHOUT_K.contains(&(name.as_str(), other)) {
                continue;
            } else if !ROUNDED.contains(&(name.as_str(), other)) || apart(&said) > ROUNDING {
                faults.push(format!("{name} by {other}: {said}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!((written, exact, refused), (71, 59, 79));
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/dictionaries_of_peers/saelens_topk");
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    let refusal = write(&source, &taken, Format::SaeLens).unwrap_err();
    assert!(refusal.contains("exists already"), "{refusal}");
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");

    // A refusal in the middle leaves no part of the result.
    write(&source, &folder.path().join("new"), Format::GemmaScope).unwrap_err();
    write(&folder.path().join("nothing"), &folder.path().join("new/and/deep"), Format::SaeLens).unwrap_err();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["taken"]);

    // Words, braces and quotes in a path are its own.
    std::fs::create_dir(folder.path().join("AFTER WRITER")).unwrap();
    let words = folder.path().join("AFTER WRITER/BEFORE SOURCE");
    write(&source, &words, Format::SaeLens).unwrap();
    write(&words, &folder.path().join("AFTER"), Format::SaeLens).unwrap();

    let odd = folder.path().join("a {b} \"c\".npz");
    let gemma = source.with_file_name("saelens_jumprelu");
    write(&gemma, &odd, Format::of(&odd)).unwrap();
    write(&odd, &folder.path().join("again"), Format::SaeLens).unwrap();
}

#[test]
fn what_is_about_a_dictionary_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/dictionaries_of_peers/saelens_topk");
    let source = without_metadata(&peer, folder.path());
    std::fs::copy(peer.join("cfg.json"), source.join("cfg.json")).unwrap();
    std::fs::write(source.join("position.safetensors"), "of position").unwrap();
    std::fs::write(source.join("sparsity.safetensors"), "of frequency").unwrap();
    let metadata = |folder: &Path| {
        let settings: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("cfg.json")).unwrap()).unwrap();
        let mut metadata = settings["metadata"].as_object().unwrap().clone();
        assert!(metadata.remove("sae_lens_version").is_some());
        metadata
    };
    let holds =
        |folder: &Path, name: &str, bytes: &str| std::fs::read(folder.join(name)).is_ok_and(|b| b == bytes.as_bytes());

    let (same, there) = (folder.path().join("same"), folder.path().join("sparsify"));
    let said = write(&source, &same, Format::SaeLens).unwrap().join("\n");
    assert!(!said.contains("left out"), "{said}");
    assert_eq!(metadata(&same), metadata(&source));
    assert!(
        holds(&same, "position.safetensors", "of position") && holds(&same, "sparsity.safetensors", "of frequency")
    );

    let said = write(&source, &there, Format::Sparsify).unwrap().join("\n");
    assert!(said.contains("left out: metadata") && said.contains("left out: sparsity.safetensors"), "{said}");
    assert!(holds(&there, "position.safetensors", "of position") && !there.join("sparsity.safetensors").exists());
}
