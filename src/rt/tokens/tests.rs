//! Tokenizers against known ids, and on files that are not what they say.

use super::*;
use crate::rt::files::tests::handle;

/// A vocabulary as llama2.c writes it: the 259 tokens that are given, then these pieces, the earlier the likelier.
pub fn llama2c(pieces: &[&str]) -> Vec<u8> {
    let mut names: Vec<String> = ["<unk>", "\n<s>\n", "\n</s>\n"].map(String::from).to_vec();
    names.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    names.extend(pieces.iter().map(|piece| piece.to_string()));
    let mut out = 16u32.to_le_bytes().to_vec();
    for (id, name) in names.iter().enumerate() {
        out.extend((-(id as f32)).to_le_bytes());
        out.extend((name.len() as u32).to_le_bytes());
        out.extend(name.as_bytes());
    }
    out
}

/// Byte-level BPE over the letters a, b and the space.
pub fn json() -> String {
    serde_json::json!({
        "version": "1.0",
        "added_tokens": [{ "id": 0, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
                           "normalized": false, "special": true }],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                   "vocab": { "<|end|>": 0, "a": 1, "b": 2, "Ġ": 3, "ab": 4, "Ġab": 5 },
                   "merges": [["a", "b"], ["Ġ", "ab"]] }
    })
    .to_string()
}

fn told(bytes: &[u8]) -> String {
    let error = read(&handle("words", bytes)).unwrap_err();
    assert_eq!(error.code, "R008");
    error.message
}

#[test]
fn pieces_join_by_score_and_fall_back_to_bytes() {
    let words = read(&handle("words", &llama2c(&[" a", "ab", "bc", " ab", "a", "b", "c", " "]))).unwrap();
    // " a" has the highest score of all pairs; after it "bc" has a higher one than " ab".
    assert_eq!(words.encode("abc").unwrap(), [259, 261]);
    assert_eq!(words.encode("ab").unwrap(), [262]);
    assert_eq!(words.encode("bc").unwrap(), [266, 261]);
    // é is no piece: two bytes, at 3 + the byte.
    assert_eq!(words.encode("é").unwrap(), [266, 3 + 0xc3, 3 + 0xa9]);
    assert_eq!(words.encode("").unwrap(), [0u32; 0]);
    assert_eq!(words.encode("<s>").unwrap().len(), 4);
    for text in ["abc", "é", " a", "a  b", "日本\u{301}🙂"] {
        assert_eq!(words.decode(&words.encode(text).unwrap()).unwrap(), text);
    }
    assert_eq!(words.decode(&[1, 259]).unwrap(), "a");
    assert_eq!((words.id("<s>"), words.id("ab"), words.id("zz"), words.size()), (Some(1), Some(260), None, 267));
    assert_eq!(words.decode(&[267]).unwrap_err().code, "R004");
}

#[test]
fn byte_level_merges_and_special_tokens() {
    let words = read(&handle("words", json().as_bytes())).unwrap();
    assert_eq!(words.encode("ab ab<|end|>a").unwrap(), [4, 5, 0, 1]);
    assert_eq!(words.decode(&[4, 5, 0, 1]).unwrap(), "ab ab<|end|>a");
    assert_eq!(words.piece(5).unwrap(), b" ab");
    assert_eq!((words.id("<|end|>"), words.special(), words.size()), (Some(0), vec!["<|end|>".to_string()], 6));
    assert_eq!(words.decode(&[6]).unwrap_err().message, "token 6 is not one of the tokenizer's 6");
}

#[test]
fn what_is_no_tokenizer_says_why() {
    assert!(told(b"{}").contains("is not a tokenizer.json: missing field `model`"));
    assert!(told(&json().into_bytes()[..200]).contains("is not a tokenizer.json"));
    assert!(told(&b"{\"a\":".repeat(100_000)).contains("is not a tokenizer.json"));
    assert!(told(&b"{\"normalizer\":".repeat(100_000)).contains("recursion limit"));
    assert!(told(b"hello").contains("is not a tokenizer: it is no JSON, no GGUF"));
    assert!(told(&json().replace("\"dropout\":null", "\"dropout\":0.5").into_bytes()).contains("at random"));
    let grows = r#""normalizer":{"type":"Replace","pattern":{"String":"a"},"content":"#.to_string();
    let grows = json().replace("\"normalizer\":null", &format!("{grows}\"{}\"}}", "a".repeat(65)));
    assert!(told(grows.as_bytes()).contains("64 times as long"));
    // Merges of tokens that the vocabulary lacks.
    assert!(told(&json().replace("\"ab\":4,", "").into_bytes()).contains("tokenizer.json"));
    let error = read(&handle("words", &llama2c(&["a"])[..200])).unwrap_err();
    assert!(error.notes.iter().any(|(_, text)| text.contains("it ends within token")), "{:?}", error.notes);
    let mut huge = llama2c(&["a"]);
    huge[8..12].copy_from_slice(&i32::MAX.to_le_bytes());
    let error = read(&handle("words", &huge)).unwrap_err();
    assert!(error.notes.iter().any(|(_, text)| text.contains("claims a length")), "{:?}", error.notes);
}

#[test]
fn pieces_are_shown_readably() {
    assert_eq!(shown(b" the\n"), r#"" the\n""#);
    assert_eq!(shown(&[0xf0, 0x9f]), "<F0 9F>");
}
