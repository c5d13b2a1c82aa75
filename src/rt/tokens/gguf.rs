//! The vocabularies of GGUF files: settings under `tokenizer.ggml`, as llama.cpp's programs write them.
//!
//! Two kinds are read, each under its own name in the file. `gpt2` is byte-level BPE: it is written out as the
//! `tokenizer.json` that says the same, so that one reader decides what a text becomes. `llama` is SentencePiece's BPE,
//! pieces with scores. How a text is cut into words before byte-level merges is not in the file, only a name for it; a
//! name that is not known here is an error, because a guess would be wrong without anybody noticing.

use super::hugging::Hugging;
use super::pieces::Pieces;
use super::{Tokenizer, bytes};
use crate::rt::guard::quoted;
use serde_json::{Map, Value, json};

/// What the number of a token's type says.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const UNUSED: i64 = 5;
const BYTE: i64 = 6;

type Read<T> = Result<T, String>;

/// The tokenizer that the settings of a GGUF file describe, or what is wrong with them.
pub fn read(settings: &Value) -> Read<Tokenizer> {
    let model = get(settings, "model").and_then(Value::as_str).ok_or("has no tokenizer among its settings")?;
    match model {
        "gpt2" => byte_level(settings).map(|read| Tokenizer::Hugging(Box::new(read))),
        "llama" => pieces(settings).map(Tokenizer::Pieces),
        other => {
            let known = "byte-level BPE (`gpt2`) and SentencePiece's (`llama`) are read";
            Err(format!("has a vocabulary of the kind `{}`; {known}", quoted(&other)))
        }
    }
}

fn get<'a>(settings: &'a Value, name: &str) -> Option<&'a Value> {
    settings.get(format!("tokenizer.ggml.{name}"))
}

fn list<'a, T>(settings: &'a Value, name: &str, item: impl Fn(&'a Value) -> Option<T>) -> Read<Vec<T>> {
    let items = get(settings, name).and_then(Value::as_array);
    let items = items.ok_or_else(|| format!("has no list `tokenizer.ggml.{name}`"))?;
    items.iter().map(item).collect::<Option<_>>().ok_or_else(|| format!("has a wrong item in `tokenizer.ggml.{name}`"))
}

/// The names of the tokens and the type of each.
fn tokens(settings: &Value) -> Read<(Vec<&str>, Vec<i64>)> {
    let names = list(settings, "tokens", Value::as_str)?;
    let kinds = list(settings, "token_type", Value::as_i64)?;
    if names.is_empty() || names.len() != kinds.len() {
        return Err(format!("has {} tokens and the types of {}", names.len(), kinds.len()));
    }
    Ok((names, kinds))
}

fn flag(settings: &Value, name: &str, otherwise: bool) -> bool {
    get(settings, name).and_then(Value::as_bool).unwrap_or(otherwise)
}

/// The id of a token that plays a part, if the file names one that it has.
fn role(settings: &Value, name: &str, size: usize) -> Option<u32> {
    let id = get(settings, name).and_then(Value::as_u64)?;
    u32::try_from(id).ok().filter(|&id| (id as usize) < size)
}

fn byte_level(settings: &Value) -> Read<Hugging> {
    let (names, kinds) = tokens(settings)?;
    let merges = list(settings, "merges", Value::as_str)?;
    let (normalizer, pre_tokenizer, ignore_merges) = cutting(settings)?;
    let mut vocabulary = Map::new();
    let mut added = Vec::new();
    for (id, (&name, &kind)) in names.iter().zip(&kinds).enumerate() {
        if vocabulary.insert(name.to_string(), id.into()).is_some() {
            return Err(format!("has two tokens `{}`", quoted(&name)));
        }
        if matches!(kind, UNKNOWN | CONTROL | USER_DEFINED) {
            added.push(json!({
                "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind != USER_DEFINED,
            }));
        }
    }
    let whole = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null,
        "decoder": byte_rules(false),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": ignore_merges,
            "vocab": vocabulary, "merges": merges,
        },
    });
    let text = serde_json::to_vec(&whole).map_err(|cause| cause.to_string())?;
    Hugging::read(&text).map_err(|_| "has a vocabulary whose tokens and merges do not fit together".to_string())
}

fn byte_rules(cut: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": cut })
}

/// The rule of the Llama 3 and GPT-4 families; digits come in groups of at most so many.
fn by_rule(digits: &str) -> Value {
    let rule = format!(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|{digits}| \
         ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    );
    let split = json!({ "type": "Split", "pattern": { "Regex": rule }, "behavior": "Isolated", "invert": false });
    json!({ "type": "Sequence", "pretokenizers": [split, byte_rules(false)] })
}

/// How a text is cut before merges, by the name that the file has for it: a normalizer, a pre-tokenizer, and whether a
/// word that is a token is one without looking at merges.
fn cutting(settings: &Value) -> Read<(Value, Value, bool)> {
    let digits = || {
        let single = json!({ "type": "Digits", "individual_digits": true });
        json!({ "type": "Sequence", "pretokenizers": [single, byte_rules(true)] })
    };
    let name = get(settings, "pre").and_then(Value::as_str).unwrap_or("");
    match name {
        "gpt-2" | "gpt2" | "phi-2" | "olmo" | "mpt" => Ok((Value::Null, byte_rules(true), false)),
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" => Ok((Value::Null, digits(), false)),
        "llama-bpe" | "llama3" | "llama-v3" => Ok((Value::Null, by_rule("\\p{N}{1,3}"), true)),
        "qwen2" => Ok((json!({ "type": "NFC" }), by_rule("\\p{N}"), false)),
        other => Err(format!(
            "cuts text by the rules called `{}` (`tokenizer.ggml.pre`), which are not known; known are gpt-2, smollm, \
             llama-bpe, qwen2 and relatives",
            quoted(&other)
        )),
    }
}

fn pieces(settings: &Value) -> Read<Pieces> {
    let (names, kinds) = tokens(settings)?;
    let scores = list(settings, "scores", Value::as_f64)?;
    if scores.len() != names.len() {
        return Err(format!("has {} tokens and the scores of {}", names.len(), scores.len()));
    }
    let text = |name: &str| name.replace('\u{2581}', " ");
    let is = |id: usize, wanted: &[i64]| wanted.contains(&kinds[id]);
    let mut made = Pieces {
        names: names.iter().map(|name| name.to_string()).collect(),
        bytes: names.iter().map(|name| text(name).into_bytes()).collect(),
        scores: scores.iter().map(|&score| score as f32).collect(),
        leading_space: flag(settings, "add_space_prefix", true),
        start: role(settings, "bos_token_id", names.len()),
        unknown: role(settings, "unknown_token_id", names.len()),
        ..Pieces::default()
    };
    made.index(|id| !is(id as usize, &[UNKNOWN, CONTROL, UNUSED, BYTE]));
    for (id, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if is(id, &[UNKNOWN, CONTROL]) {
            made.special.push(id as u32);
        }
        if is(id, &[CONTROL, USER_DEFINED]) && bytes::fallback(name).is_none() {
            made.in_text.push((text(name), id as u32));
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(model: &str, more: Value) -> Value {
        let mut all = json!({ "tokenizer.ggml.model": model });
        for (name, value) in more.as_object().unwrap() {
            all[format!("tokenizer.ggml.{name}")] = value.clone();
        }
        all
    }

    fn small() -> Value {
        json!({
            "pre": "smollm", "tokens": ["<|end|>", "a", "b", "Ġ", "ab", "Ġab", "1", "11"],
            "token_type": [3, 1, 1, 1, 1, 1, 1, 1], "merges": ["a b", "Ġ ab", "1 1"],
        })
    }

    #[test]
    fn byte_level_vocabularies() {
        let words = read(&settings("gpt2", small())).unwrap();
        // Digits are cut apart before merges.
        assert_eq!(words.encode("ab ab11<|end|>a").unwrap(), [4, 5, 6, 6, 0, 1]);
        assert_eq!(words.decode(&[4, 5, 0]).unwrap(), "ab ab<|end|>");
        assert_eq!((words.special(), words.size()), (vec!["<|end|>".to_string()], 8));
        let mut other = small();
        other["pre"] = "gpt-2".into();
        assert_eq!(read(&settings("gpt2", other)).unwrap().encode("11").unwrap(), [7]);
    }

    #[test]
    fn pieces_with_scores() {
        let mut names: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
        names.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
        names.extend(["▁a", "ab", "▁", "a", "b", "<mark>"].map(String::from));
        let mut kinds = vec![2, 3, 3];
        kinds.extend([6; 256]);
        kinds.extend([1, 1, 1, 1, 1, 4]);
        let scores: Vec<f64> = (0..names.len()).map(|id| -(id as f64)).collect();
        let all = json!({ "tokens": names, "token_type": kinds, "scores": scores, "bos_token_id": 1 });
        let words = read(&settings("llama", all.clone())).unwrap();
        assert_eq!(words.encode("ab").unwrap(), [259, 263]);
        assert_eq!(words.encode("a<mark>é<s>").unwrap(), [259, 264, 261, 3 + 0xc3, 3 + 0xa9, 1]);
        assert_eq!(words.decode(&words.encode("ab é").unwrap()).unwrap(), "ab é");
        let mut cut = all;
        cut["scores"] = json!([0.0]);
        assert!(read(&settings("llama", cut)).unwrap_err().contains("the scores of 1"));
    }

    #[test]
    fn what_is_not_known_says_so() {
        let told = |model: &str, name: &str, value: Value| {
            let mut all = small();
            all[name] = value;
            read(&settings(model, all)).unwrap_err()
        };
        assert!(told("gpt2", "pre", "mine".into()).contains("the rules called `mine`"));
        assert!(told("rwkv", "pre", "".into()).contains("of the kind `rwkv`"));
        assert!(told("gpt2", "merges", json!(["a z"])).contains("do not fit together"));
        assert!(told("gpt2", "merges", Value::Null).contains("no list `tokenizer.ggml.merges`"));
        assert!(told("gpt2", "tokens", json!([1])).contains("wrong item"));
        assert!(told("gpt2", "token_type", json!([3])).contains("8 tokens and the types of 1"));
        assert!(read(&json!({})).unwrap_err().contains("has no tokenizer"));
    }
}
