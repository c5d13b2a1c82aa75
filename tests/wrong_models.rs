//! Models that are not what their configuration says, or that the library does not implement: one paragraph that names
//! the setting or the tensor. Each case is a small model that loads, with one thing changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A copy of a folder of `tests/reference` with a program that loads it.
struct Model {
    folder: tempfile::TempDir,
    config: String,
    weights: Vec<u8>,
}

impl Model {
    fn of(name: &str, load: &str) -> Model {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name);
        let config = fs::read_to_string(source.join("config.json")).unwrap();
        let weights = fs::read(source.join("model.safetensors")).unwrap();
        let model = Model { folder: tempfile::tempdir().unwrap(), config, weights };
        let module = load.split('.').next().unwrap();
        let program = format!(
            "use std.models.{module}\ninput w = file(\"model.safetensors\")\ninput c = file(\"config.json\")\n\
             let m = {load}(w, c)\nprint(\"loaded\")\n"
        );
        fs::write(model.path("a.exp"), program).unwrap();
        model
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, config: &str, weights: &[u8]) -> Output {
        fs::write(self.path("config.json"), config).unwrap();
        fs::write(self.path("model.safetensors"), weights).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.args(["run", "a.exp"]).current_dir(self.folder.path()).env("LOCUS_CACHE", "off").output().unwrap()
    }

    /// The model with `from` in its configuration replaced.
    fn told(&self, from: &str, to: &str) -> Output {
        assert!(self.config.contains(from), "`{from}` is not in {}", self.config);
        self.run(&self.config.replacen(from, to, 1), &self.weights)
    }

    /// The model with `from` in the header of its weights replaced by a text of the same length.
    fn stored(&self, from: &str, to: &str) -> Output {
        assert_eq!(from.len(), to.len());
        let at = self.weights.windows(from.len()).position(|part| part == from.as_bytes()).expect(from);
        let mut weights = self.weights.clone();
        weights[at..at + to.len()].copy_from_slice(to.as_bytes());
        self.run(&self.config, &weights)
    }
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}{}", String::from_utf8_lossy(&output.stdout));
    assert!(err.starts_with("error[R0") && err.matches("error[").count() == 1 && !err.contains("panic"), "{err}");
    for word in words {
        assert!(err.contains(word), "`{word}` is not in {err}");
    }
}

#[test]
fn all_of_them_load() {
    for (name, load) in LOADERS {
        let model = Model::of(name, load);
        let output = model.run(&model.config, &model.weights);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

const LOADERS: &[(&str, &str)] = &[
    ("bert", "bert.load"),
    ("bloom", "bloom.load"),
    ("gpt2", "gpt2.load"),
    ("gpt_neo", "gpt_neo.load"),
    ("gpt_neox", "neox.load"),
    ("gpt_neox_serial", "neox.load_serial"),
    ("gptj", "gptj.load"),
    ("llama", "llama.load"),
    ("shortformer", "shortformer.load"),
    ("shortformer_norm", "shortformer.load_normed"),
    ("t5", "t5.load"),
    ("t5_causal", "t5.load_gated"),
];

#[test]
fn settings_that_are_not_implemented_are_named() {
    let cases = [
        ("bert", "\"is_decoder\": false", "\"position_embedding_type\": \"relative_key\"", "position_embedding_type"),
        ("bert", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"mish\"", "hidden_act"),
        ("bloom", "post_layernorm\": false", "post_layernorm\": true", "apply_residual_connection_post_layernorm"),
        ("gpt2", "\"activation_function\": \"gelu_new\"", "\"activation_function\": \"gelu\"", "activation_function"),
        ("gpt2", "inverse_layer_idx\": false", "inverse_layer_idx\": true", "scale_attn_by_inverse_layer_idx"),
        ("gpt_neo", "\"local\"", "\"sparse\"", "attention_layers.1"),
        ("gpt_neox", "residual\": true", "residual\": false", "use_parallel_residual"),
        ("gpt_neox_serial", "residual\": false", "residual\": true", "use_parallel_residual"),
        ("gptj", "embeddings\": false", "embeddings\": true", "tie_word_embeddings"),
        ("llama", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"", "rope_parameters.rope_type"),
        ("llama", "\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias"),
        ("llama", "\"model_type\": \"llama\"", "\"model_type\": \"gemma\"", "model_type"),
        ("shortformer", "\"normalization_type\": null", "\"normalization_type\": \"LN\"", "normalization_type"),
        ("shortformer_norm", "\"normalization_type\": \"LN\"", "\"normalization_type\": \"LNPre\"", "LNPre"),
        ("t5", "\"feed_forward_proj\": \"relu\"", "\"feed_forward_proj\": \"gated-gelu\"", "feed_forward_proj"),
    ];
    for (name, from, to, word) in cases {
        let load = LOADERS.iter().find(|(model, _)| *model == name).unwrap().1;
        refused(&Model::of(name, load).told(from, to), &[word]);
    }
}

#[test]
fn every_tensor_is_accounted_for() {
    let llama = Model::of("llama", "llama.load");
    refused(
        &llama.stored("layers.1.self_attn.q_proj", "layers.1.self_attn.q_prog"),
        &["input `w`", "missing", "model.layers.1.self_attn.q_proj.weight", "unknown", "q_prog"],
    );
    let turned = llama.stored(
        "self_attn.k_proj.weight\":{\"dtype\":\"F32\",\"shape\":[16,32]",
        "self_attn.k_proj.weight\":{\"dtype\":\"F32\",\"shape\":[32,16]",
    );
    refused(&turned, &["input `w`", "self_attn.k_proj.weight", "32 x 16", "16 x 32"]);
    for (count, words) in [
        ("1", ["model.layers.1.input_layernorm.weight", "unknown"]),
        ("3", ["model.layers.2.input_layernorm.weight", "missing"]),
        ("0", ["0 layers", "error"]),
        ("1000000000000000000", ["1000000000000000000 layers", "error"]),
    ] {
        refused(&llama.told("\"num_hidden_layers\": 2", &format!("\"num_hidden_layers\": {count}")), &words);
    }
    let neox = Model::of("gpt_neox", "neox.load");
    refused(&neox.told("\"hidden_size\": 32", "\"hidden_size\": 34"), &["gpt_neox", "needed", "34"]);
    let gptj = Model::of("gptj", "gptj.load");
    refused(&gptj.told("\"rotary_dim\": 8", "\"rotary_dim\": 4611686018427387904"), &["4611686018427387904"]);
    refused(
        &gptj.told("\"rotary_dim\": 8", "\"rotary_dim\": 18"),
        &["rotary would turn 18 dimensions of a head that has 16"],
    );
}
