//! Settings of models, dictionaries and tokenizers as they are written, those that matter here first, and what they
//! say of positions. Names of settings are those of Hugging Face, GGUF, llama2.c, TransformerLens and SAELens.

use serde_json::Value;

use super::{row, section, tensors};
use crate::rt::files::Listed;

/// Settings of architecture and size, in the order in which they are shown. In GGUF an architecture's name stands in
/// front of a dot.
const MAIN: &[&str] = &[
    "model_type",
    "architectures",
    "general.architecture",
    "general.name",
    "architecture",
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "block_count",
    "hidden_size",
    "n_embd",
    "d_model",
    "dim",
    "embedding_length",
    "num_attention_heads",
    "n_head",
    "n_heads",
    "num_heads",
    "attention.head_count",
    "num_key_value_heads",
    "n_kv_heads",
    "attention.head_count_kv",
    "head_dim",
    "d_head",
    "d_kv",
    "intermediate_size",
    "n_inner",
    "d_mlp",
    "d_ff",
    "hidden_dim",
    "feed_forward_length",
    "vocab_size",
    "d_vocab",
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "seq_len",
    "seq_length",
    "context_length",
    "tie_word_embeddings",
    "shared_classifier",
    "dtype",
    "torch_dtype",
    "d_in",
    "d_sae",
    "k",
    "metadata.hook_name",
    "hook_name",
];

/// Settings of positions.
const POSITIONS: &[&str] = &[
    "position_scheme",
    "position_table",
    "position_layout",
    "position_embedding_type",
    "positional_embedding_type",
    "alibi",
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    "rotary_dim",
    "rotary_base",
    "rotary_factor",
    "rotary_pct",
    "rotary_emb_base",
    "partial_rotary_factor",
    "rotary_adjacent_pairs",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "relative_attention_num_buckets",
    "relative_attention_max_distance",
    "attention.max_alibi_bias",
    "sliding_window",
    "window_size",
    "attention.sliding_window",
    "attention_types",
];

/// Ends of names of tensors that hold a table of positions.
const TABLES: &[&str] = &[
    "wpe.weight",
    "position_embeddings.weight",
    "embed_positions.weight",
    "position_embd.weight",
    "pos_embed.W_pos",
    "relative_attention_bias.weight",
    "attn_rel_b.weight",
    "freq_cis_real",
];

/// Longer texts and lists are cut.
const LONGEST: usize = 100;

/// What the settings say, and what of the tensors is about positions.
pub fn write(out: &mut String, document: &Value, listed: &[Listed]) {
    let all = flat(document);
    let of = |wanted: &[&str]| -> Vec<usize> {
        let is = |key: &str, one: &&str| key == *one || (one.contains('.') || is_gguf(&all)) && ends(key, one);
        let place = |one: &&str| all.iter().position(|(key, _)| is(key, one));
        let mut found = Vec::new();
        for at in wanted.iter().filter_map(place) {
            if !found.contains(&at) {
                found.push(at);
            }
        }
        found
    };
    let (main, positions) = (of(MAIN), of(POSITIONS));
    if !main.is_empty() {
        section(out, "settings, as written");
        main.iter().for_each(|&at| row(out, &all[at].0, &shown(all[at].1)));
    }
    let tables: Vec<&Listed> = listed.iter().filter(|one| TABLES.iter().any(|end| ends(&one.name, end))).collect();
    if !positions.is_empty() || !tables.is_empty() {
        section(out, "positions, as written");
        positions.iter().for_each(|&at| row(out, &all[at].0, &shown(all[at].1)));
        tables.iter().for_each(|one| row(out, &one.name, &format!("a table, {}", tensors::shape(&one.shape))));
    } else if !main.is_empty() {
        section(out, "positions: neither settings nor names of tensors say how they enter");
    }
    let others: Vec<String> = (0..all.len())
        .filter(|at| !main.contains(at) && !positions.contains(at))
        .map(|at| all[at].0.escape_debug().to_string())
        .collect();
    if !others.is_empty() {
        section(out, &format!("other settings: {}", others.len()));
        wrapped(out, &others);
    }
}

/// Is `key` the name `end`, perhaps with more before it and a dot between?
fn ends(key: &str, end: &str) -> bool {
    key.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn is_gguf(all: &[(String, &Value)]) -> bool {
    all.iter().any(|(key, _)| key == "general.architecture")
}

/// Settings by name; those in `metadata` and `trainer` with a dot, others as they stand.
fn flat(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (key, value) in document.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) if matches!(key.as_str(), "metadata" | "trainer") => {
                found.extend(inner.iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            _ => found.push((key.clone(), value)),
        }
    }
    found
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Array(items) if items.len() > 8 => format!("a list of {}", items.len()),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).collect::<String>() + "..." }
}

fn wrapped(out: &mut String, names: &[String]) {
    let mut line = String::from(" ");
    for name in names {
        if line.len() + name.len() > LONGEST {
            out.push_str(line.trim_end());
            out.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(name);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Has the document the form of a `tokenizer.json`?
pub fn is_tokenizer(document: &Value) -> bool {
    document.get("model").is_some_and(|model| model.get("vocab").is_some() || model.get("merges").is_some())
}

/// The kind and size of a tokenizer, and what it does before and after.
pub fn tokenizer(out: &mut String, document: &Value) {
    let kind = |value: Option<&Value>| {
        let kind = value.and_then(|value| value.get("type")).and_then(Value::as_str);
        kind.map_or_else(|| "none".to_string(), |kind| kind.escape_debug().to_string())
    };
    let count = |value: Option<&Value>| match value {
        Some(Value::Object(fields)) => fields.len().to_string(),
        Some(Value::Array(items)) => items.len().to_string(),
        _ => "none".to_string(),
    };
    let model = document.get("model");
    section(out, "tokenizer, as written");
    row(out, "model", &kind(model));
    row(out, "vocabulary", &count(model.and_then(|model| model.get("vocab"))));
    row(out, "merges", &count(model.and_then(|model| model.get("merges"))));
    row(out, "added tokens", &count(document.get("added_tokens")));
    for part in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
        row(out, part, &kind(document.get(part)));
    }
}
