//! `tokenizer.json`, read by the crate of its authors.
//!
//! The crate trusts its files. So what a file can do besides describing a tokenizer is settled here: rules that
//! lengthen a text without bound and random merges are refused, padding, truncation and added start tokens are left
//! out, and a panic of the crate becomes an error. It never reads anything but the bytes it was given.

use super::bytes;
use crate::rt::error::{Error, Result, code};
use crate::rt::guard::{guarded, short};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokenizers::models::ModelWrapper;

/// How many times longer its rules may make a text. Those in use make it some three times as long.
const MOST_GROWTH: usize = 64;

/// A tokenizer of the crate, and how its tokens are written.
pub struct Hugging {
    own: tokenizers::Tokenizer,
    /// Names are in the alphabet of byte-level BPE.
    byte_level: bool,
}

impl std::fmt::Debug for Hugging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a tokenizer of {} tokens", self.size())
    }
}

/// What is looked at before the crate sees the file.
#[derive(Deserialize)]
struct Sketch {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    decoder: Value,
    /// Every tokenizer has one; a configuration of something else has none.
    #[serde(rename = "model")]
    _model: IgnoredAny,
}

impl Hugging {
    /// The tokenizer that the bytes describe, or what is wrong with them.
    pub fn read(bytes: &[u8]) -> std::result::Result<Hugging, String> {
        let unreadable = |cause: &dyn std::fmt::Display| format!("is not a tokenizer.json: {}", short(cause));
        let sketch: Sketch = serde_json::from_slice(bytes).map_err(|cause| unreadable(&cause))?;
        for (rules, what) in [(&sketch.normalizer, "normalizer"), (&sketch.decoder, "decoder")] {
            if growth(rules) > MOST_GROWTH {
                return Err(format!("has a {what} that makes a text more than {MOST_GROWTH} times as long"));
            }
        }
        let read = guarded(|| tokenizers::Tokenizer::from_bytes(bytes));
        let mut own =
            read.ok_or("is a tokenizer.json with parts that do not fit together")?.map_err(|c| unreadable(&c))?;
        if let ModelWrapper::BPE(model) = own.get_model()
            && model.dropout.is_some_and(|share| share > 0.0)
        {
            return Err("merges at random (`dropout` in its model); its ids would differ from run to run".to_string());
        }
        own.with_padding(None);
        own.with_truncation(None).map_err(|cause| unreadable(&cause))?;
        own.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        let byte_level = mentions(&sketch.decoder, "ByteLevel") || mentions(&sketch.pre_tokenizer, "ByteLevel");
        Ok(Hugging { own, byte_level })
    }

    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let made = guarded(|| self.own.encode_fast(text, false).map(|made| made.get_ids().to_vec()));
        made.ok_or_else(|| failed("encode this text"))?.map_err(|cause| refused("encode this text", &cause))
    }

    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let made = guarded(|| self.own.decode(ids, false));
        made.ok_or_else(|| failed("decode these ids"))?.map_err(|cause| refused("decode these ids", &cause))
    }

    pub fn id(&self, name: &str) -> Option<u32> {
        self.own.token_to_id(name)
    }

    pub fn name(&self, id: u32) -> Option<String> {
        self.own.id_to_token(id)
    }

    /// What the token adds to a text, as far as one token tells.
    pub fn piece(&self, id: u32) -> Option<Vec<u8>> {
        let name = self.name(id)?;
        if self.own.get_added_vocabulary().get_added_tokens_decoder().contains_key(&id) {
            return Some(name.into_bytes());
        }
        let byte = bytes::fallback(&name).map(|byte| vec![byte]);
        let in_alphabet = if self.byte_level { bytes::of_name(&name) } else { byte };
        Some(in_alphabet.unwrap_or_else(|| name.replace('\u{2581}', " ").into_bytes()))
    }

    pub fn size(&self) -> usize {
        self.own.get_vocab_size(true)
    }

    pub fn special(&self) -> Vec<String> {
        let added = self.own.get_added_vocabulary().get_added_tokens_decoder();
        let mut found: Vec<(u32, String)> =
            added.iter().filter(|(_, token)| token.special).map(|(&id, token)| (id, token.content.clone())).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect()
    }
}

fn failed(what: &str) -> Error {
    Error::new(code::FILE, format!("the tokenizer cannot {what}: its parts do not fit together"))
}

fn refused(what: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::new(code::FILE, format!("the tokenizer cannot {what}: {}", short(cause)))
}

/// How many times longer the `Replace` rules in a part of the file may make a text, one after another.
fn growth(rules: &Value) -> usize {
    let nested = |inner: &Value| match inner {
        Value::Array(_) | Value::Object(_) => growth(inner),
        _ => 1,
    };
    match rules {
        Value::Array(items) => items.iter().fold(1, |total, item| nested(item).saturating_mul(total)),
        Value::Object(fields) => {
            let own = fields.get("content").and_then(Value::as_str).map_or(1, |content| {
                match fields.get("pattern").and_then(|pattern| pattern.get("String")).and_then(Value::as_str) {
                    Some(pattern) => content.len().div_ceil(pattern.len().max(1)).max(1),
                    // An expression may match between any two bytes.
                    None => content.len() + 1,
                }
            });
            fields.values().fold(own, |total, item| nested(item).saturating_mul(total))
        }
        _ => 1,
    }
}

/// Is a part of that type anywhere in it?
fn mentions(part: &Value, kind: &str) -> bool {
    match part {
        Value::Array(items) => items.iter().any(|item| mentions(item, kind)),
        Value::Object(fields) => {
            fields.get("type").and_then(Value::as_str) == Some(kind) || fields.values().any(|item| mentions(item, kind))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_through_sequences() {
        let rule = |pattern: &str, content: &str| serde_json::json!({ "type": "Replace", "pattern": { "String": pattern }, "content": content });
        assert_eq!(growth(&rule(" ", "\u{2581}")), 3);
        assert_eq!(growth(&rule("\u{2581}", " ")), 1);
        let twice = serde_json::json!({ "type": "Sequence", "normalizers": [rule("a", "aa"), rule("a", "aaaa")] });
        assert_eq!(growth(&twice), 8);
        let any = serde_json::json!({ "type": "Replace", "pattern": { "Regex": "x*" }, "content": "ab" });
        assert_eq!(growth(&any), 3);
        assert_eq!(growth(&Value::Null), 1);
    }
}
