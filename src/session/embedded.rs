//! The texts that the binary carries, in tables written by `build.rs`. Reads no files.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The text of `std.NAME`.
pub fn std_module(name: &str) -> Option<&'static str> {
    STDLIB.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
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
