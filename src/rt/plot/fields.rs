//! The fields of a `plot` item, each of the right kind.

use super::super::error::{Error, Result, code};
use super::super::value::Value;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Lines,
    Bars,
    Scatter,
    Heatmap,
    Histogram,
}

const KINDS: [(&str, Kind); 5] = [
    ("lines", Kind::Lines),
    ("bars", Kind::Bars),
    ("scatter", Kind::Scatter),
    ("heatmap", Kind::Heatmap),
    ("histogram", Kind::Histogram),
];

const KNOWN: &str = "y, x, by, title, xlabel, ylabel, file, bins, log, labels";

/// What stands in the script, not yet looked at together.
pub struct Fields<'a> {
    pub kind: Kind,
    pub y: &'a Value,
    /// A tensor of coordinates, or the name of an axis of `y`.
    pub x: Option<&'a Value>,
    /// The name of the axis of `y` of which each index makes a series.
    pub by: Option<&'a str>,
    pub title: String,
    pub xlabel: Option<String>,
    pub ylabel: Option<String>,
    pub file: Option<String>,
    pub bins: Option<usize>,
    pub log: bool,
    pub labels: Option<Vec<String>>,
}

/// A fault in what a plot was given.
pub fn fault(message: impl Into<String>) -> Error {
    Error::new(code::ARGUMENT, message)
}

impl<'a> Fields<'a> {
    pub fn read(kind: &str, given: &[(&'a str, &'a Value)]) -> Result<Fields<'a>> {
        let known = KINDS.iter().find(|(name, _)| *name == kind);
        let &(_, kind) = known.ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            fault(format!("there is no plot called `{kind}`")).note("found", names.join(", "))
        })?;
        let y = given.iter().find(|(name, _)| *name == "y").map(|(_, value)| *value);
        let y = y.ok_or_else(|| fault("a plot needs a field `y`").help("y: the tensor to draw"))?;
        let mut fields = Fields {
            kind,
            y,
            x: None,
            by: None,
            title: String::new(),
            xlabel: None,
            ylabel: None,
            file: None,
            bins: None,
            log: false,
            labels: None,
        };
        for &(name, value) in given {
            fields.set(name, value)?;
        }
        Ok(fields)
    }

    fn set(&mut self, name: &str, value: &'a Value) -> Result<()> {
        match (name, value) {
            ("y", _) => {}
            (_, Value::None) => {}
            ("x", _) => self.x = Some(value),
            ("by", Value::Str(text)) => self.by = Some(text),
            ("title", Value::Str(text)) => self.title = text.to_string(),
            ("xlabel", Value::Str(text)) => self.xlabel = Some(text.to_string()),
            ("ylabel", Value::Str(text)) => self.ylabel = Some(text.to_string()),
            ("file", Value::Str(text)) => self.file = Some(svg_name(text)?),
            ("bins", Value::Int(bins @ 1..=1000)) => self.bins = Some(*bins as usize),
            ("bins", Value::Int(bins)) => {
                return Err(fault(format!("a histogram of {bins} bins; 1 to 1000 can be drawn")));
            }
            ("log", Value::Bool(log)) => self.log = *log,
            ("labels", Value::List(items)) => self.labels = Some(items.iter().map(label).collect::<Result<_>>()?),
            ("by" | "title" | "xlabel" | "ylabel" | "file" | "bins" | "log" | "labels", _) => {
                return Err(
                    fault(format!("the field `{name}` of a plot cannot be this value")).note("needed", needed(name))
                );
            }
            _ => return Err(fault(format!("a plot has no field `{name}`")).note("found", KNOWN)),
        }
        Ok(())
    }
}

fn needed(name: &str) -> &'static str {
    match name {
        "by" => "the name of an axis of `y`",
        "bins" => "an int",
        "log" => "true or false",
        "labels" => "a list of strings",
        _ => "a string",
    }
}

fn label(value: &Value) -> Result<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        Value::Int(number) => Ok(number.to_string()),
        _ => Err(fault("the labels of a plot are strings")),
    }
}

fn svg_name(name: &str) -> Result<String> {
    if name.to_ascii_lowercase().ends_with(".svg") {
        return Ok(name.to_string());
    }
    Err(fault(format!("a plot is written as SVG, not as `{name}`")).help(format!("file: \"{}.svg\"", stem(name))))
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
