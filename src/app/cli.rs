//! The commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::session::EngineKind;

/// A small experiment language that asks where position lives in a transformer.
#[derive(Parser, Debug)]
#[command(name = "locus", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a program and show whether its expectations hold
    Run(RunArgs),
    /// Check programs without running them
    Check(CheckArgs),
    /// Run programs quietly; the exit code tells whether every expectation held
    Verify(VerifyArgs),
    /// Run a program and write the numbers it found into its expectations
    Bless(BlessArgs),
    /// Show a program at one stage of the compiler
    Dump(DumpArgs),
    /// Explain an error code
    Explain {
        /// A code such as E012; without one, all codes
        code: Option<String>,
    },
    /// Show the documentation of a module or function of the standard library
    Doc {
        /// A name such as std.sae, sae.encode or softmax; without one, all modules
        name: Option<String>,
    },
    /// Show version, processor, BLAS kernel and threads
    Info {
        /// Only the kernel, as a value for OPENBLAS_CORETYPE
        #[arg(long)]
        kernel: bool,
    },
    /// Type programs line by line
    Repl(ReplArgs),
}

/// How to run.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// What runs the program
    #[arg(long, value_enum, default_value_t = EngineChoice::Jit)]
    pub engine: EngineChoice,
    /// Replace the value of a top-level `let` or the size of an axis
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub overrides: Vec<(String, String)>,
    /// Threads; results do not depend on them [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Folder for the files that the program writes
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Stop at the first operation that makes a NaN or an infinity
    #[arg(long)]
    pub check_finite: bool,
    /// The most memory that the process may take, such as 200M or 2G; results do not depend on it
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// The most disk that intermediate results may take, such as 50G
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub disk: Option<u64>,
}

#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub common: Common,
    /// Show nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    pub file: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Note each elementwise operation whose result has more axes than either side
    #[arg(long)]
    pub strict: bool,
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub common: Common,
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct BlessArgs {
    #[command(flatten)]
    pub common: Common,
    pub file: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub struct DumpArgs {
    #[arg(long, value_enum)]
    pub stage: Stage,
    /// Only the functions of this name
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    pub file: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub struct ReplArgs {
    #[command(flatten)]
    pub common: Common,
    /// A program to run first
    pub file: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// Machine code
    Jit,
    /// The interpreter: the same bits
    Interp,
    /// The interpreter, on what the checker made
    InterpUnoptimised,
}

impl From<EngineChoice> for EngineKind {
    fn from(choice: EngineChoice) -> EngineKind {
        match choice {
            EngineChoice::Jit => EngineKind::Jit,
            EngineChoice::Interp => EngineKind::Interp,
            EngineChoice::InterpUnoptimised => EngineKind::InterpUnoptimised,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The syntax tree
    Ast,
    /// The IR as the checker made it, gradients worked out
    IrBefore,
    /// The IR that runs
    Ir,
    /// Cranelift's IR
    Clif,
    /// Machine code
    Asm,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write it as NAME=VALUE, such as --set steps=100".to_string()),
    }
}

/// `200M`, `2G`, `1.5GB`: bytes, in powers of 1000.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1.0,
        "K" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        _ => return Err("write it as a number with K, M, G or T, such as 2G".to_string()),
    };
    match digits.parse::<f64>() {
        Ok(number) if number > 0.0 && number * factor < 1e18 => Ok((number * factor) as u64),
        _ => Err("write it as a number with K, M, G or T, such as 2G".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_numbers_with_a_letter() {
        assert_eq!(bytes("200M"), Ok(200_000_000));
        assert_eq!(bytes("1.5gb"), Ok(1_500_000_000));
        assert_eq!(bytes("4096"), Ok(4096));
        for bad in ["", "M", "2X", "-1G", "0", "nanG", "1e30G"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overrides_need_a_name_and_a_value() {
        assert_eq!(name_and_value("steps = 100"), Ok(("steps".to_string(), "100".to_string())));
        for bad in ["steps", "=3", "steps="] {
            assert!(name_and_value(bad).is_err(), "{bad}");
        }
    }
}
