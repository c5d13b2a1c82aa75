//! Broken dictionaries: settings that are missing, wrong, or of another kind, tensors renamed, reshaped, cut short or not finite.
//! Every one of them is one clear error, and the dictionaries that they were made from load.

mod common;

use common::run;
use locus::session::EngineKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The least number of broken dictionaries.
const CASES: usize = 500;

const STACK: usize = 64 << 20;

/// A dictionary as its files.
#[derive(Clone)]
struct Files {
    name: String,
    files: BTreeMap<String, Vec<u8>>,
}

fn peers() -> Vec<Files> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/dictionaries_of_peers");
    let mut found = Vec::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let file = |path: std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        };
        let files = fs::read_dir(&folder).unwrap().map(|entry| file(entry.unwrap().path())).collect();
        found.push(Files { name: folder.file_name().unwrap().to_string_lossy().into_owned(), files });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Files {
    fn settings(&self) -> Option<(&str, Map<String, Value>)> {
        let (name, bytes) = self.files.iter().find(|(name, _)| name.ends_with(".json"))?;
        let Value::Object(fields) = serde_json::from_slice(bytes).unwrap() else { panic!("{name}") };
        Some((name, fields))
    }

    fn weights(&self) -> (&str, &[u8]) {
        let (name, bytes) = self.files.iter().find(|(name, _)| !name.ends_with(".json")).unwrap();
        (name, bytes)
    }

    fn with(&self, file: &str, bytes: Vec<u8>) -> Files {
        let mut changed = self.clone();
        changed.files.insert(file.to_string(), bytes);
        changed
    }

    /// What reading it gives: the error, or nothing.
    fn read(&self) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("saved")).unwrap();
        for (name, bytes) in &self.files {
            fs::write(folder.path().join("saved").join(name), bytes).unwrap();
        }
        let source = match self.files.keys().any(|name| name.ends_with(".json")) {
            true => "folder(\"saved\")".to_string(),
            false => format!("file(\"saved/{}\")", self.weights().0),
        };
        let program = format!(
            "use std.sae.files\naxis d, f, o\ninput saved = {source}\nlet p = files.read[d, f, o](saved)\nprint(p.kind)\n"
        );
        fs::write(folder.path().join("a.exp"), program).unwrap();
        run(&folder.path().join("a.exp"), EngineKind::Interp, &[]).fault
    }
}

/// Where in a dictionary's settings what it is stands, and values that it must not have.
fn wrong_settings(dictionary: &Files) -> Vec<(String, Files)> {
    let Some((file, fields)) = dictionary.settings() else { return Vec::new() };
    let mut made = Vec::new();
    let mut change = |path: &[&str], value: Option<Value>| {
        let mut whole = Value::Object(fields.clone());
        let (last, above) = path.split_last().unwrap();
        let place = above.iter().try_fold(&mut whole, |value, step| value.get_mut(step));
        let Some(Value::Object(place)) = place else { return };
        if !place.contains_key(*last) {
            return;
        }
        let shown =
            format!("{} = {}", path.join("."), value.clone().map_or("(gone)".to_string(), |value| value.to_string()));
        match value {
            Some(value) => drop(place.insert(last.to_string(), value)),
            None => drop(place.remove(*last)),
        }
        made.push((shown, dictionary.with(file, serde_json::to_vec(&whole).unwrap())));
    };
    let sizes = [json!(7), json!(-1), json!("6"), json!(6.5)];
    for value in &sizes {
        for path in [&["d_in"][..], &["d_sae"], &["d_out"]] {
            change(path, Some(value.clone()));
        }
    }
    for value in [json!(0), json!(-3), json!(99), json!("5"), json!(2.5), json!([5])] {
        for path in [&["k"][..], &["activation_fn_kwargs", "k"]] {
            change(path, Some(value.clone()));
        }
        if dictionary.name == "dl_topk" {
            change(&["trainer", "k"], Some(value.clone()));
        }
    }
    for path in [&["k"][..], &["activation_fn_kwargs", "k"]] {
        change(path, None);
    }
    for value in [json!("sparse"), json!("batchtopk"), json!("temporal"), json!(3), json!(null), json!("Standard")] {
        // Before version 6 nothing had to be said.
        if !(value.is_null() && dictionary.name.contains("old")) {
            change(&["architecture"], Some(value.clone()));
        }
        change(&["trainer", "dict_class"], Some(value));
    }
    change(&["trainer", "dict_class"], None);
    change(&["trainer"], None);
    if !dictionary.name.contains("old") {
        change(&["architecture"], None);
    }
    for value in [json!("groupmax"), json!("relu"), json!(1)] {
        change(&["activation"], Some(value));
    }
    for value in [json!("tanh-relu"), json!("topk-relu"), json!(true)] {
        change(&["activation_fn_str"], Some(value));
    }
    for value in
        [json!("expected_average_only_in"), json!("constant_norm_rescale"), json!(true), json!("covariance_whitening")]
    {
        change(&["normalize_activations"], Some(value));
    }
    if dictionary.name.contains("transcoder") {
        change(&["apply_b_dec_to_input"], Some(json!(true)));
        change(&["apply_b_dec_to_input"], None);
        change(&["d_out"], None);
    }
    for value in [json!("no"), json!(1)] {
        change(&["apply_b_dec_to_input"], Some(value.clone()));
        change(&["rescale_acts_by_decoder_norm"], Some(value.clone()));
        change(&["transcode"], Some(value.clone()));
        change(&["skip_connection"], Some(value.clone()));
        change(&["finetuning_scaling_factor"], Some(value));
    }
    change(&["skip_connection"], Some(json!(dictionary.name != "sparsify_transcode_skip")));
    change(&["finetuning_scaling_factor"], Some(json!(true)));
    for text in ["", "[]", "3", "{\"architecture\": \"standard\"", "{}"] {
        made.push((format!("settings are `{text}`"), dictionary.with(file, text.as_bytes().to_vec())));
    }
    made
}

/// Weights cut short, renamed, reshaped, and not finite.
fn wrong_weights(dictionary: &Files) -> Vec<(String, Files)> {
    let (file, bytes) = dictionary.weights();
    let mut made = Vec::new();
    for share in [0, 1, 5, 50, 90, 99] {
        let cut = bytes[..bytes.len() * share / 100].to_vec();
        made.push((format!("{share}% of {file}"), dictionary.with(file, cut)));
    }
    if !file.ends_with(".safetensors") {
        return made;
    }
    let mut replaced = |from: &str, to: &str| {
        let Some(at) = bytes.windows(from.len()).position(|part| part == from.as_bytes()) else { return };
        let mut changed = bytes.to_vec();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        made.push((format!("`{from}` is `{to}`"), dictionary.with(file, changed)));
    };
    for (from, to) in [
        ("\"W_enc\"", "\"W_emc\""),
        ("\"W_dec\"", "\"w_dec\""),
        ("\"b_dec\"", "\"b_del\""),
        ("\"b_enc\"", "\"c_enc\""),
        ("\"threshold\"", "\"thresholt\""),
        ("\"b_gate\"", "\"b_gato\""),
        ("\"r_mag\"", "\"r_mug\""),
        ("\"W_skip\"", "\"W_ship\""),
        ("\"encoder.weight\"", "\"encoder.weights"),
        ("\"encoder.bias\"", "\"encoder.bios\""),
        ("[6,10]", "[10,6]"),
        ("[10,6]", "[6,10]"),
        ("[6,10]", "[5,12]"),
        ("[10]", "[11]"),
        ("[6]", "[7]"),
        ("F32", "F64"),
        ("F32", "I32"),
        ("\"data_offsets\":[0", "\"data_offsets\":[9"),
    ] {
        replaced(from, to);
    }
    // The last number of the file: every tensor's numbers count.
    for (shown, number) in [("NaN", f32::NAN), ("infinite", f32::INFINITY)] {
        if !dictionary.name.ends_with("f16") {
            let mut changed = bytes.to_vec();
            let end = changed.len();
            changed[end - 4..].copy_from_slice(&number.to_le_bytes());
            made.push((format!("the last number is {shown}"), dictionary.with(file, changed)));
        }
    }
    made
}

/// One paragraph that says what is wrong.
fn is_clear(fault: &str) -> bool {
    let codes = ["error[R0", "error[R1"];
    fault.matches("error[").count() == 1
        && codes.iter().any(|code| fault.starts_with(code))
        && !fault.contains("fault of locus")
}

/// How many broken forms of a dictionary were tried, and what is wrong with what came of them.
fn judged(dictionary: &Files) -> (usize, Vec<String>) {
    let mut faults = Vec::new();
    if let Some(fault) = dictionary.read() {
        faults.push(format!("{}: {fault}", dictionary.name));
    }
    let broken: Vec<_> = wrong_settings(dictionary).into_iter().chain(wrong_weights(dictionary)).collect();
    for (what, broken) in &broken {
        match broken.read() {
            None => faults.push(format!("{}, {what}: was read", dictionary.name)),
            Some(fault) if !is_clear(&fault) => faults.push(format!("{}, {what}: {fault}", dictionary.name)),
            Some(_) => {}
        }
    }
    (broken.len(), faults)
}

#[test]
fn every_broken_dictionary_is_one_clear_error() {
    let peers = peers();
    let half = |half: &[Files]| {
        let half = half.to_vec();
        let work = move || half.iter().map(judged).collect::<Vec<_>>();
        std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap()
    };
    let (one, two) = peers.split_at(peers.len() / 2);
    let (one, two) = (half(one), half(two));
    let found: Vec<_> = one.join().unwrap().into_iter().chain(two.join().unwrap()).collect();
    let cases: usize = found.iter().map(|(cases, _)| cases).sum();
    let faults: Vec<String> = found.into_iter().flat_map(|(_, faults)| faults).collect();
    println!("{cases} broken dictionaries");
    assert!(faults.is_empty(), "{} of {cases}:\n{}", faults.len(), faults.join("\n"));
    assert!(cases >= CASES, "only {cases} cases");
}
