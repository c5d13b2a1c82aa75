//! Figures that are measured through the command: memory of a whole process, remembered results, what a killed run
//! leaves, and whether bits depend on limits.
//!
//! Each part that needs an option which the command does not have says so in the table.

use super::common::{median, program, runs};
use super::table::Table;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

type Found = Result<(f64, Option<f64>), String>;

fn locus() -> Command {
    Command::new(env!("CARGO_BIN_EXE_locus"))
}

/// A folder of this process for what runs write.
fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("locus-bench-{}-{name}", std::process::id()));
    if let Err(error) = std::fs::create_dir_all(&path) {
        println!("{}: {error}", path.display());
    }
    path
}

fn has_option(command: &str, option: &str) -> bool {
    let output = locus().args([command, "--help"]).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(option))
}

/// `locus run` on a program of `benches/programs`, remembered results switched off.
fn run(name: &str, overrides: &[(&str, String)], more: &[&str], out: &Path) -> Result<Output, String> {
    let path = program(name).ok_or_else(|| format!("there is no benches/programs/{name}"))?;
    let mut command = locus();
    command.arg("run").args(more).arg("--out").arg(out);
    if has_option("run", "--fresh") {
        command.arg("--fresh");
    }
    for (name, value) in overrides {
        command.arg("--set").arg(format!("{name}={value}"));
    }
    let output = command.arg(path).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
    }
}

/// What `--profile` tells of a run.
pub fn profiled(name: &str, overrides: &[(&str, String)]) -> Result<serde_json::Value, String> {
    let folder = scratch("profile");
    let file = folder.join("profile.json");
    run(name, overrides, &["--quiet", &format!("--profile={}", file.display())], &folder)?;
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

fn number(profile: &serde_json::Value, name: &str) -> Result<f64, String> {
    profile[name].as_f64().ok_or_else(|| format!("the profile tells no {name}"))
}

/// What the statistics add to the time of model and encoder, and what 20 times the sequences add to the memory.
pub fn streamed(table: &mut Table) {
    let statistics = |on: usize| vec![("statistics", on.to_string())];
    let added = || -> Found {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..runs() {
            with.push(number(&profiled("statistics.exp", &statistics(1))?, "running")?);
            without.push(number(&profiled("statistics.exp", &statistics(0))?, "running")?);
        }
        Ok((median(&with) / median(&without) - 1.0, None))
    };
    table.add("streamed statistics: added share of model and encoder", 0.15, added());
    let growth = || -> Found {
        let peak = |sequences: usize| {
            let sizes = [("sequences", sequences.to_string())];
            number(&profiled("stream.exp", &sizes)?, "peak_bytes")
        };
        Ok((peak(20 * 1000)? / peak(1000)? - 1.0, None))
    };
    table.add("20 times the sequences: growth of peak memory", 0.05, growth());
}

/// A run after the title of a plot was edited, against a start and the plotting alone.
pub fn replot(table: &mut Table) {
    table.add("run again after editing a plot title: x start and plotting", 1.5, replotted());
}

fn replotted() -> Found {
    if !has_option("run", "--fresh") {
        return Err("no results are remembered yet".to_string());
    }
    let folder = scratch("replot");
    // One item that takes well over the tenth of a second from which on results are kept.
    let heavy = "axis s = 400\nuse std.random: normal\naxis m = 2048, n like m\nfn repeated() -> f32[s] {\n  \
                 let a = normal[m, n](root, \"a\") / 64.0\n  let mut x = normal[s, m](root, \"b\")\n  \
                 for i in 0..60 { x = (x @[m] a)[n -> m] }\n  sum[m](x)\n}\nlet rows = repeated()\n";
    let light = "axis s = 400\nuse std.random: normal\nlet rows = normal[s](root, \"b\")\n";
    let plot = |title: usize| format!("plot lines {{ x: s, y: rows, title: \"title {title}\" }}\n");
    let timed = |name: &str, text: String| -> Result<f64, String> {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        let start = Instant::now();
        let output = locus().arg("run").arg("--out").arg(&folder).arg(&path).output();
        let output = output.map_err(|error| error.to_string())?;
        let time = start.elapsed().as_secs_f64();
        if output.status.success() { Ok(time) } else { Err(String::from_utf8_lossy(&output.stderr).to_string()) }
    };
    timed("heavy.exp", format!("{heavy}{}", plot(0)))?;
    let (mut again, mut bare) = (Vec::new(), Vec::new());
    for run in 1..=runs() {
        again.push(timed("heavy.exp", format!("{heavy}{}", plot(run)))?);
        bare.push(timed("light.exp", format!("{light}{}", plot(run)))?);
    }
    Ok((median(&again) / median(&bare), None))
}

/// Different texts printed by one program under every limit of memory and number of threads.
pub fn hashes(table: &mut Table) {
    table.add("any --memory and 1 to 3 threads: different results", 1.0, different());
}

fn different() -> Found {
    let limits: &[&str] = match has_option("run", "--memory") {
        true => &["200M", "300M", "1G", "4G"],
        false => return Err("the command has no --memory yet".to_string()),
    };
    let folder = scratch("hashes");
    let mut seen = std::collections::BTreeSet::new();
    for limit in limits {
        for threads in ["1", "2", "3"] {
            let output = run("stream.exp", &[], &["--memory", limit, "--threads", threads], &folder)?;
            seen.insert(output.stdout);
        }
    }
    Ok((seen.len() as f64, None))
}

/// The campaign of `tests/resume.rs`, which takes half an hour, so only when asked for.
pub fn killed(table: &mut Table) {
    let told = match std::env::var_os("LOCUS_BENCH_FULL") {
        None => Err("set LOCUS_BENCH_FULL=1 (half an hour)".to_string()),
        Some(_) => campaign(),
    };
    let count = |place: usize| -> Found {
        let line = told.clone()?;
        let part = line.split(';').nth(place).unwrap_or_default().trim();
        let number = part.split(' ').next().and_then(|word| word.parse().ok());
        number.map(|number| (number, None)).ok_or_else(|| format!("the campaign ended with `{line}`"))
    };
    let other = count(0).map(|(equal, _)| (50.0 - equal, None));
    table.add("kill -9 at 50 moments of a fit: runs with other bits", 0.0, other);
    let short = |found: Found| found.map(|(enough, _)| (50.0 - enough, None));
    table.add("kill -9: runs that began again at step 0", 10.0, short(count(1)));
    table.add("kill -9: runs that lost more than one interval", 10.0, short(count(2)));
    table.add("kill -9: runs that read a remembered result", 0.0, count(3));
}

/// The line of totals.
fn campaign() -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let mut command = Command::new(cargo);
    command.args(["test", "--release", "--test", "resume", "--", "--nocapture", "fifty_random_moments"]);
    command.env("LOCUS_FULL", "1").current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).to_string();
    let line = text.lines().find(|line| line.contains("with equal bits;"));
    line.map(str::to_string).ok_or_else(|| "the campaign told no totals".to_string())
}
