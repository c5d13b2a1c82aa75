//! Pieces with scores: the BPE of SentencePiece, as llama2.c and GGUF files of the Llama family hold it.
//!
//! A text begins as its characters (those without a piece as bytes); then, as long as two neighbours together are a
//! piece, the pair whose piece has the highest score becomes it, the leftmost among equals. Which pair is next comes
//! from a queue, so that the work grows with n log n; the result is that of looking at all pairs anew each time.

use super::bytes;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// A vocabulary. A space is a space in the bytes of a piece, however the file writes it.
#[derive(Debug, Default)]
pub struct Pieces {
    /// Names as the file has them.
    pub names: Vec<String>,
    /// What each token stands for.
    pub bytes: Vec<Vec<u8>>,
    pub scores: Vec<f32>,
    /// Tokens that texts are made of, by their bytes; the first of equals.
    pub by_bytes: HashMap<Vec<u8>, u32>,
    /// The token of each single byte, for characters that are no piece.
    pub fallback: Vec<Option<u32>>,
    /// Tokens that stand for no text, such as the start token; in a text only where `in_text` says so.
    pub special: Vec<u32>,
    /// Special tokens that are recognised in a text.
    pub in_text: Vec<(String, u32)>,
    /// What stands for bytes that have no token at all.
    pub unknown: Option<u32>,
    /// Is a space put in front of a text?
    pub leading_space: bool,
    /// After this token a leading space is not part of the text.
    pub start: Option<u32>,
}

/// A pair of neighbours that together are piece `id`.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// The bytes of both: a pair of which a part has grown since is out of date.
    length: usize,
    id: u32,
}

impl PartialEq for Pair {
    fn eq(&self, other: &Pair) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Pair) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pair {
    /// The next pair is the greatest: of the highest score, then the leftmost.
    fn cmp(&self, other: &Pair) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

/// A part of the text that is one token so far. Parts are a list linked by number; an empty part is gone.
struct Part {
    at: usize,
    length: usize,
    token: Option<u32>,
    before: Option<usize>,
    after: Option<usize>,
}

/// The special token that comes first, the longest of those at one place.
fn first_of(next: &[Option<usize>], names: &[(String, u32)]) -> Option<(usize, usize)> {
    let found = next.iter().enumerate().filter_map(|(which, place)| Some(((*place)?, which)));
    found.min_by_key(|&(place, which)| (place, std::cmp::Reverse(names[which].0.len())))
}

impl Pieces {
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut at = 0;
        // Where each special token comes next; looked for anew only once it was passed, so that a text is read once.
        let mut next: Vec<Option<usize>> = self.in_text.iter().map(|(name, _)| text.find(name.as_str())).collect();
        while let Some((from, which)) = first_of(&next, &self.in_text) {
            let (name, id) = &self.in_text[which];
            self.encode_plain(&text[at..from], &mut ids);
            ids.push(*id);
            at = from + name.len();
            for (place, (name, _)) in next.iter_mut().zip(&self.in_text) {
                if place.is_some_and(|place| place < at) {
                    *place = text[at..].find(name.as_str()).map(|place| at + place);
                }
            }
        }
        self.encode_plain(&text[at..], &mut ids);
        ids
    }

    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let spaced = if self.leading_space { format!(" {text}") } else { text.to_string() };
        let mut parts = self.characters(&spaced);
        self.join(spaced.as_bytes(), &mut parts);
        for part in parts.iter().filter(|part| part.length > 0) {
            match part.token {
                Some(token) => ids.push(token),
                None => ids.extend(
                    spaced.as_bytes()[part.at..part.at + part.length]
                        .iter()
                        .filter_map(|&byte| self.fallback.get(byte as usize).copied().flatten().or(self.unknown)),
                ),
            }
        }
    }

    fn characters(&self, text: &str) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::with_capacity(text.len());
        for (number, (at, letter)) in text.char_indices().enumerate() {
            let length = letter.len_utf8();
            let token = self.by_bytes.get(&text.as_bytes()[at..at + length]).copied();
            parts.push(Part { at, length, token, before: number.checked_sub(1), after: Some(number + 1) });
        }
        if let Some(last) = parts.last_mut() {
            last.after = None;
        }
        parts
    }

    fn join(&self, text: &[u8], parts: &mut [Part]) {
        let mut pairs = BinaryHeap::new();
        for left in 0..parts.len().saturating_sub(1) {
            pairs.extend(self.pair(text, parts, left, left + 1));
        }
        while let Some(Pair { left, right, length, id, .. }) = pairs.pop() {
            // A part that has grown or is gone makes another length.
            if parts[left].length == 0 || parts[right].length == 0 || parts[left].length + parts[right].length != length
            {
                continue;
            }
            let after = parts[right].after;
            parts[right].length = 0;
            parts[left] = Part { length, token: Some(id), after, ..parts[left] };
            if let Some(after) = after {
                parts[after].before = Some(left);
                pairs.extend(self.pair(text, parts, left, after));
            }
            if let Some(before) = parts[left].before {
                pairs.extend(self.pair(text, parts, before, left));
            }
        }
    }

    fn pair(&self, text: &[u8], parts: &[Part], left: usize, right: usize) -> Option<Pair> {
        let length = parts[left].length + parts[right].length;
        // A character without a piece of its own never joins another.
        parts[left].token.and(parts[right].token)?;
        let id = *self.by_bytes.get(text.get(parts[left].at..parts[left].at + length)?)?;
        Some(Pair { score: self.scores[id as usize], left, right, length, id })
    }

    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        let mut begins = self.leading_space;
        for &id in ids {
            let own = self.bytes.get(id as usize).map_or(&[][..], Vec::as_slice);
            // The space in front of a text is not part of it.
            bytes.extend(if begins { own.strip_prefix(b" ").unwrap_or(own) } else { own });
            begins = self.leading_space && self.start == Some(id);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Line ends round a name (llama2.c writes `\n<s>\n`) need not be given.
    pub fn id(&self, name: &str) -> Option<u32> {
        let exact = self.names.iter().position(|own| own == name);
        exact.or_else(|| self.names.iter().position(|own| own.trim() == name)).map(|id| id as u32)
    }

    pub fn name(&self, id: u32) -> Option<String> {
        self.names.get(id as usize).cloned()
    }

    pub fn piece(&self, id: u32) -> Option<Vec<u8>> {
        self.bytes.get(id as usize).cloned()
    }

    pub fn size(&self) -> usize {
        self.names.len()
    }

    pub fn special(&self) -> Vec<String> {
        self.special.iter().filter_map(|&id| self.name(id)).map(|name| name.trim().to_string()).collect()
    }

    /// Completes the tables after names, bytes and scores are there. `plain` says which tokens texts are made of.
    pub fn index(&mut self, plain: impl Fn(u32) -> bool) {
        self.fallback = vec![None; 256];
        for id in 0..self.names.len() as u32 {
            if let Some(byte) = bytes::fallback(&self.names[id as usize]) {
                self.fallback[byte as usize].get_or_insert(id);
                self.bytes[id as usize] = vec![byte];
            } else if plain(id) {
                self.by_bytes.entry(self.bytes[id as usize].clone()).or_insert(id);
            }
        }
    }
}
