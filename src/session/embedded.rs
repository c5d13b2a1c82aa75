//! The texts that the binary carries, in tables written by `build.rs`. Reads no files.

use super::folder::sha256;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The text of `std.NAME`.
pub fn std_module(name: &str) -> Option<&'static str> {
    STDLIB.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The hash of the whole standard library: lines of `sha256  name`, as `sha256sum` would print them.
pub fn library_hash() -> String {
    let line = |(name, text): &(&str, &str)| format!("{}  std.{name}\n", sha256(text.as_bytes()));
    sha256(STDLIB.iter().map(line).collect::<String>().as_bytes())
}

/// The page of an error code; the code may be written in lower case.
pub fn error_page(code: &str) -> Option<&'static str> {
    ERROR_PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_whatever_the_case() {
        assert!(error_page("E012").is_some());
        assert_eq!(error_page("e012"), error_page("E012"));
        assert!(error_page("E999").is_none());
    }

    #[test]
    fn tables_are_sorted_and_have_no_twins() {
        for table in [STDLIB, ERROR_PAGES] {
            assert!(table.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
