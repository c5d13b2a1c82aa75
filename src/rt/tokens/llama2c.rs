//! The tokenizer file of llama2.c: the longest piece's length, then for each token its score, its length, its bytes.
//!
//! Numbers are little-endian and have four bytes. Tokens 0, 1 and 2 are the unknown, the start and the end token; the
//! 256 after them stand for single bytes. The format has no magic number, so every claim is checked against the bytes.

use super::pieces::Pieces;

/// The most tokens that are believed; the largest vocabularies have some 260,000.
const MAX_TOKENS: usize = 4_000_000;

/// The vocabulary, or what does not fit.
pub fn read(file: &[u8]) -> Result<Pieces, String> {
    let mut rest = file;
    let longest = number(&mut rest).ok_or("it ends within its first number")?;
    let longest = u32::from_le_bytes(longest) as usize;
    let mut made = Pieces { leading_space: true, start: Some(1), unknown: Some(0), ..Pieces::default() };
    while !rest.is_empty() {
        let token = made.names.len();
        let cut = || format!("it ends within token {token}");
        let score = f32::from_le_bytes(number(&mut rest).ok_or_else(cut)?);
        let length = i32::from_le_bytes(number(&mut rest).ok_or_else(cut)?);
        let length = usize::try_from(length).ok().filter(|&length| length <= longest);
        let length = length.ok_or_else(|| format!("token {token} claims a length above the longest, {longest}"))?;
        let bytes = rest.get(..length).ok_or_else(cut)?;
        rest = &rest[length..];
        if score.is_nan() {
            return Err(format!("the score of token {token} is not a number"));
        }
        if token >= MAX_TOKENS {
            return Err(format!("it has more than {MAX_TOKENS} tokens"));
        }
        made.names.push(String::from_utf8_lossy(bytes).into_owned());
        made.bytes.push(bytes.to_vec());
        made.scores.push(score);
    }
    if made.names.len() < 259 {
        return Err(format!("it has {} tokens; the first 259 are given", made.names.len()));
    }
    made.index(|id| id > 2 && id as usize >= 259);
    if made.fallback.iter().any(Option::is_none) {
        return Err("some byte has no token".to_string());
    }
    made.special = vec![0, 1, 2];
    (0..3).for_each(|id| made.bytes[id].clear());
    Ok(made)
}

fn number(rest: &mut &[u8]) -> Option<[u8; 4]> {
    let (first, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(*first)
}
