//! The alphabet of byte-level BPE: every byte has a printable character that stands for it in names of tokens.
//!
//! The rule is that of GPT-2's vocabulary: bytes that print stand for themselves, the others are numbered from U+0100
//! on in the order of their values.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The character of each byte.
pub fn alphabet() -> &'static [char; 256] {
    static ALPHABET: OnceLock<[char; 256]> = OnceLock::new();
    ALPHABET.get_or_init(|| {
        let mut made = ['\0'; 256];
        let mut next = 0x100u32;
        for (byte, place) in made.iter_mut().enumerate() {
            let prints = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
            let number = if prints { byte as u32 } else { next };
            next += u32::from(!prints);
            *place = char::from_u32(number).unwrap_or(' ');
        }
        made
    })
}

/// The bytes that a name stands for; `None` if one of its characters stands for none.
pub fn of_name(name: &str) -> Option<Vec<u8>> {
    static BYTES: OnceLock<HashMap<char, u8>> = OnceLock::new();
    let bytes =
        BYTES.get_or_init(|| alphabet().iter().enumerate().map(|(byte, &letter)| (letter, byte as u8)).collect());
    name.chars().map(|letter| bytes.get(&letter).copied()).collect()
}

/// The byte of a token that stands for one byte where no piece fits: `<0x0A>`.
pub fn fallback(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_that_of_gpt2() {
        assert_eq!(alphabet()[b' ' as usize], 'Ġ');
        assert_eq!(alphabet()[b'\n' as usize], 'Ċ');
        assert_eq!(alphabet()[b'a' as usize], 'a');
        assert_eq!(alphabet()[0xad], 'Ń');
        assert_eq!(of_name("Ġthe").unwrap(), b" the");
        assert_eq!(of_name("é").unwrap(), [0xe9]);
        assert!(of_name("日").is_none());
        let all: std::collections::HashSet<char> = alphabet().iter().copied().collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn fallback_tokens_have_two_digits() {
        assert_eq!(fallback("<0x0A>"), Some(10));
        for name in ["<0xA>", "<0x0G>", "<0x00A>", "0x0A", "<0x+1>"] {
            assert!(fallback(name).is_none(), "{name}");
        }
    }
}
