//! Values of options: what a person writes behind `--set`, `--memory`, `--to` and `--older`.

use std::path::PathBuf;
use std::time::Duration;

use crate::session::remember::store::parse_size;

pub fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write it as NAME=VALUE, such as --set steps=100".to_string()),
    }
}

pub fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "write it as a number of bytes, such as 500M or 2G".to_string())
}

/// The program itself takes some 70 MB; with less than this nothing useful fits beside it.
const LEAST_MEMORY: u64 = 100_000_000;

pub fn memory(text: &str) -> Result<u64, String> {
    match size(text)? {
        bytes if bytes < LEAST_MEMORY => Err("the program itself takes some 70 MB; give it 100M or more".to_string()),
        bytes => Ok(bytes),
    }
}

/// Where nothing is there is nothing to be read: most likely a slip.
pub fn place(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    path.metadata().map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(path)
}

/// A program, a model or a table is not overwritten by a page because of a slip.
pub fn page(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let known = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("html") || end.eq_ignore_ascii_case("htm"));
    match (known, path.is_dir()) {
        (true, false) => Ok(path),
        (_, true) => Err("it is a folder; give the page a name in it, such as results/page.html".to_string()),
        _ => Err("give the page a name that ends in .html, such as results/page.html".to_string()),
    }
}

/// A name for a bundle; a program or a model is not overwritten because of a slip.
pub fn archive(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let known = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"));
    match (known, path.is_dir()) {
        (true, false) => Ok(path),
        (_, true) => Err("it is a folder; give the bundle a name in it, such as results/analysis.zip".to_string()),
        _ => Err("give the bundle a name that ends in .zip, such as results/analysis.zip".to_string()),
    }
}

pub fn age(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "write it as a number of days or hours, such as 30d or 12h".to_string())
}

/// How long something may take: of no time nothing can be done.
pub fn span(text: &str) -> Result<Duration, String> {
    let time = duration(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "write it as a number of seconds, minutes or hours, such as 90s, 30m or 2h".to_string())
}

fn duration(text: &str) -> Option<Duration> {
    let units = [("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)];
    let read = |(unit, seconds): &(&str, f64)| {
        let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        (0.0..1e12).contains(&(number * seconds)).then(|| Duration::from_secs_f64(number * seconds))
    };
    units.iter().find_map(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn sizes_are_numbers_with_a_letter() {
        assert_eq!(size("200M"), Ok(200_000_000));
        assert_eq!(size("1.5gb"), Ok(1_500_000_000));
        assert_eq!(size("4096"), Ok(4096));
        for bad in ["", "M", "2X", "-1G", "nanG"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(memory("99M").is_err() && memory("100M").is_ok());
    }

    #[test]
    fn a_page_is_called_one() {
        assert_eq!(page("results/a.html"), Ok(PathBuf::from("results/a.html")));
        for bad in ["analysis.exp", "weights.safetensors", "page", "html", ".", "src"] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bundle_is_called_one() {
        assert_eq!(archive("results/a.zip"), Ok(PathBuf::from("results/a.zip")));
        for bad in ["analysis.exp", "a.npz", "zip", ".", "src"] {
            assert!(archive(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_have_a_unit() {
        assert_eq!(age("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(age("1.5 h"), Ok(Duration::from_secs(5_400)));
        assert!(age("30").is_err() && age("-1d").is_err() && age("d").is_err());
        assert_eq!(span("0.5s"), Ok(Duration::from_millis(500)));
        assert!(span("0s").is_err() && span("2").is_err());
    }

    #[test]
    fn overrides_need_a_name_and_a_value() {
        assert_eq!(name_and_value("steps = 100"), Ok(("steps".to_string(), "100".to_string())));
        for bad in ["steps", "=3", "steps="] {
            assert!(name_and_value(bad).is_err(), "{bad}");
        }
    }
}
