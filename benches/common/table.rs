//! The table of figures: collected one by one, printed, written into `docs/performance.md` between two comments and
//! into `bench.json` for programs.

use locus::session::machine::Machine;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- figures: written by `make bench` -->";
const END: &str = "<!-- end of figures -->";

/// A figure: what it is, what was found, what it should be at most.
pub struct Figure {
    pub name: String,
    pub value: Option<f64>,
    /// The ratio of least times, where both sides were timed.
    pub least: Option<f64>,
    pub goal: f64,
    /// Why there is no value, or what else there is to say.
    pub note: String,
}

#[derive(Default)]
pub struct Table {
    pub figures: Vec<Figure>,
}

impl Table {
    pub fn add(&mut self, name: &str, goal: f64, value: Result<(f64, Option<f64>), String>) {
        let (value, least, note) = match value {
            Ok((value, least)) if value.is_finite() => (Some(value), least.filter(|x| x.is_finite()), String::new()),
            Ok(_) => (None, None, "not a number".to_string()),
            Err(why) => (None, None, why.lines().next().unwrap_or("").to_string()),
        };
        let figure = Figure { name: name.to_string(), value, least, goal, note };
        println!("{}", figure.line());
        self.figures.retain(|known| known.name != name);
        self.figures.push(figure);
    }

    pub fn json(&self) -> String {
        let mut map = serde_json::Map::new();
        for figure in &self.figures {
            let mut entry = serde_json::Map::new();
            entry.insert("value".to_string(), figure.value.into());
            entry.insert("goal".to_string(), figure.goal.into());
            if let Some(least) = figure.least {
                entry.insert("least".to_string(), least.into());
            }
            if !figure.note.is_empty() {
                entry.insert("note".to_string(), figure.note.clone().into());
            }
            map.insert(figure.name.clone(), entry.into());
        }
        serde_json::to_string_pretty(&map).unwrap_or_default()
    }

    /// The table as Markdown, with the machine above it.
    pub fn markdown(&self, runs: usize) -> String {
        let machine = Machine::here();
        let mut out = format!(
            "{BEGIN}\n\n{}, {}; {} by `date`; {runs} runs taken in turn.\n\n",
            machine.processor,
            machine.shown(),
            today()
        );
        out.push_str("| figure | at most | median | least |\n|---|---|---|---|\n");
        for figure in &self.figures {
            let found = figure.value.map_or_else(|| format!("not measured: {}", figure.note), shown);
            let least = figure.least.map_or(String::new(), shown);
            let _ = writeln!(out, "| {} | {} | {found} | {least} |", figure.name, shown(figure.goal));
        }
        let _ = write!(out, "\n{END}");
        out
    }

    /// Puts the table between the two comments of a file.
    pub fn write_into(&self, path: &Path, runs: usize) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let (before, rest) = text.split_once(BEGIN).ok_or("the page has no place for figures")?;
        let (_, after) = rest.split_once(END).ok_or("the page has no end of figures")?;
        std::fs::write(path, format!("{before}{}{after}", self.markdown(runs))).map_err(|error| error.to_string())
    }
}

impl Figure {
    fn line(&self) -> String {
        let found = self.value.map_or_else(|| format!("not measured: {}", self.note), shown);
        let least = self.least.map_or(String::new(), |least| format!(", least {}", shown(least)));
        let mark = if self.value.is_some_and(|value| value > self.goal) { "  ABOVE" } else { "" };
        format!("{:60} {found}{least} (goal {}){mark}", self.name, shown(self.goal))
    }
}

fn shown(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e9 { format!("{x:.0}") } else { format!("{x:.3}") }
}

fn today() -> String {
    let printed = std::process::Command::new("date").arg("+%F").output();
    printed.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default()
}
