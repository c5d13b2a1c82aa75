//! The papers that documentation names: `Belrose et al. 2023, arXiv 2306.03819`, `Kingma and Ba 2015`.

const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Paper {
    /// Authors and year.
    pub shown: String,
    pub arxiv: Option<String>,
}

/// The papers in a text, in its order, each once.
pub fn named(text: &str) -> Vec<Paper> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found: Vec<Paper> = Vec::new();
    for at in 1..words.len() {
        let Some(paper) = paper(&words, at) else { continue };
        match found.iter_mut().find(|known| known.shown == paper.shown) {
            Some(known) => known.arxiv = known.arxiv.take().or(paper.arxiv),
            None => found.push(paper),
        }
    }
    found
}

fn paper(words: &[&str], at: usize) -> Option<Paper> {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    let digits = word(at).trim_matches(|c: char| !c.is_ascii_digit());
    // 2048 is a size.
    let year = digits.parse::<u32>().is_ok_and(|year| (1900..2040).contains(&year));
    if digits.len() != 4 || !year || !word(at).starts_with(digits) {
        return None;
    }
    let mut start = at.checked_sub(1)?;
    if word(start) == "al." && start >= 2 {
        start -= 2;
    }
    author(word(start)).filter(|name| !MONTHS.contains(name))?;
    while start > 0 && !word(start).starts_with('(') {
        let before = word(start - 1);
        match before {
            "and" if start >= 2 && author(word(start - 2)).is_some() => start -= 2,
            _ if before.ends_with(',') && author(before).is_some() => start -= 1,
            _ => break,
        }
    }
    let authors = words.get(start..at)?.join(" ");
    let arxiv = (word(at).ends_with(',') && word(at + 1) == "arXiv")
        .then(|| word(at + 2).trim_matches(|c: char| !c.is_ascii_digit()).to_string());
    Some(Paper { shown: format!("{} {digits}", authors.trim_start_matches('(')), arxiv })
}

/// A name as authors have one.
fn author(word: &str) -> Option<&str> {
    let name = word.trim_start_matches('(').trim_end_matches(',');
    let letters = name.chars().all(|c| c.is_alphabetic() || c == '-') && name.chars().skip(1).all(|c| c != '(');
    (name.len() > 1 && letters && name.starts_with(char::is_uppercase)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_and_years_are_found() {
        let text = "LEACE (Belrose et al. 2023, arXiv 2306.03819) and ScreeNOT (Donoho, Gavish, Romanov 2023, arXiv\n2009.12297).\nAdam (Kingma and Ba 2015), after Gao et al. 2024. See Kott 2001; in January 2025 or 1024, Miller 1955). Kott 2001";
        let shown: Vec<String> =
            named(text).into_iter().map(|p| format!("{} {}", p.shown, p.arxiv.unwrap_or_default())).collect();
        let expected = [
            "Belrose et al. 2023 2306.03819",
            "Donoho, Gavish, Romanov 2023 2009.12297",
            "Kingma and Ba 2015 ",
            "Gao et al. 2024 ",
            "Kott 2001 ",
            "Miller 1955 ",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn other_numbers_are_none() {
        assert!(named("2023 1999 of 2001 Sum 2048, x 2020 (2019)").is_empty());
    }
}
