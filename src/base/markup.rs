//! Text that goes into markup.

/// Text as it may stand in XML and HTML, between elements and in quoted attributes. Lines and tabs stay; other control characters may
/// not stand there at all and become blanks.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_markup_is_taken_as_text() {
        assert_eq!(escaped("a < b & \"c\"\n\u{1b}[0m"), "a &lt; b &amp; &quot;c&quot;\n [0m");
    }
}
