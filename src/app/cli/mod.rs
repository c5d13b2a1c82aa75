//! The commands and their options.

mod bundle;
mod fmt;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use bundle::BundleArgs;
pub use fmt::FmtArgs;

use crate::session::EngineKind;
use crate::session::convert::Format;
use values::{age, memory, name_and_value, page, place, size, span};

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
    /// Run a program and write all that it says as one page for a browser
    Report(ReportArgs),
    /// Run programs or bundles quietly; the exit code tells whether every expectation held
    Verify(VerifyArgs),
    /// Run a program and put it, what it reads and what it found into one archive that others can verify
    Bundle(BundleArgs),
    /// Run a program and write the numbers it found into its expectations
    Bless(BlessArgs),
    /// Show what a program will need (shapes, products, passes, memory) before anything of it runs
    Plan(PlanArgs),
    /// Show a program at one stage of the compiler
    Dump(DumpArgs),
    /// Lay out programs in one style, in place
    ///
    /// Spaces, indentation and empty lines become those of the style. Line ends stay where they are; lines over 120 columns
    /// are broken where that is clear. Words, numbers, texts and comments are never touched, and a file that does not
    /// parse is left alone. Ends with 0; with 1 if --check finds something to change; with 2 if a file was left alone.
    Fmt(FmtArgs),
    /// Explain an error code
    Explain {
        /// A code such as E012; without one, all codes
        code: Option<String>,
    },
    /// Show the documentation of the standard library, or write it as pages for a browser
    Doc(DocArgs),
    /// Show version, processor, BLAS kernel and threads
    Info {
        /// Only the kernel, as a value for OPENBLAS_CORETYPE
        #[arg(long)]
        kernel: bool,
    },
    /// Show what a file or folder of a model, dictionary, tokens or tokenizer holds, or a bundle
    Inspect {
        /// A file, or a folder in the layout of Hugging Face
        path: PathBuf,
    },
    /// Show how a tokenizer cuts a text into tokens
    Tokenize(TokenizeArgs),
    /// Write a dictionary in the files of another program, and check that it computes the same
    Convert(ConvertArgs),
    /// Show or remove the results that are remembered
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Type programs line by line
    Repl(ReplArgs),
    /// Answer an editor's questions about programs (the language server protocol, over standard input and output)
    Lsp(LspArgs),
}

#[derive(Subcommand, Clone, Debug)]
pub enum CacheCommand {
    /// Show the remembered results, the one used last first
    List,
    /// Remove remembered results: those used longest ago, or all
    Prune(PruneArgs),
}

#[derive(Args, Clone, Debug)]
pub struct PruneArgs {
    /// Everything
    #[arg(long)]
    pub all: bool,
    /// What was not used for this long, such as 30d or 12h
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older: Option<Duration>,
    /// What was used longest ago, until no more than this is left, such as 1G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub size: Option<u64>,
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
    /// Folder for the files that the program writes; it can write nowhere else
    #[arg(long, visible_alias = "write", value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// A folder or file that the program may read, beside the folder that it lies in; may be repeated
    #[arg(long, value_name = "DIR", value_parser = place)]
    pub read: Vec<PathBuf>,
    /// The longest that the program may run, such as 90s, 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub time: Option<Duration>,
    /// The most that the program may print, and the most that it may write, such as 1G [default: 64 MB printed, 64 GB written]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_output: Option<u64>,
    /// Leaves paths to the kernel alone: to test that it refuses what our own checks would
    #[arg(long, hide = true)]
    pub kernel_alone: bool,
    /// Stop at the first operation that makes a NaN or an infinity
    #[arg(long)]
    pub check_finite: bool,
    /// The most memory that the process may take, such as 200M or 2G; results do not depend on it
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub memory: Option<u64>,
    /// The most disk that intermediate results may take, such as 50G
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub disk: Option<u64>,
}

/// A program that is run for a person to see.
#[derive(Args, Clone, Debug)]
pub struct Shown {
    #[command(flatten)]
    pub common: Common,
    /// Show nothing but errors, and what was asked for
    #[arg(long, short)]
    pub quiet: bool,
    /// Compute everything, whatever is remembered
    #[arg(long)]
    pub fresh: bool,
    pub file: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    pub shown: Shown,
    /// Show at the end where time and memory went, by line; with a file, write it there as JSON
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub profile: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    #[command(flatten)]
    pub shown: Shown,
    /// The page, a name that ends in .html [default: FILE.html in the folder of --out]
    #[arg(long, value_name = "PAGE", value_parser = page)]
    pub to: Option<PathBuf>,
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
    /// Take results that an earlier run remembered
    #[arg(long)]
    pub remembered: bool,
    /// Unpack the bundle into this new folder and leave it there
    #[arg(long, value_name = "DIR")]
    pub unpack: Option<PathBuf>,
    /// Take this file or folder for an input that the bundle only describes
    #[arg(long = "input", value_name = "NAME=PATH", value_parser = name_and_value)]
    pub inputs: Vec<(String, String)>,
    /// Programs, bundles, or folders of unpacked bundles
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct BlessArgs {
    #[command(flatten)]
    pub common: Common,
    /// Take results that an earlier run remembered
    #[arg(long)]
    pub remembered: bool,
    pub file: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub struct PlanArgs {
    /// Replace the value of a top-level `let` or the size of an axis
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub overrides: Vec<(String, String)>,
    /// A folder or file that the program may read, beside the folder that it lies in; may be repeated
    #[arg(long, value_name = "DIR", value_parser = place)]
    pub read: Vec<PathBuf>,
    /// Memory that a run may use, such as 2G: the plan is held against it
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
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
pub struct DocArgs {
    /// Write the whole reference as pages into this folder; names are then files of your own modules, to be part of it
    #[arg(long, value_name = "DIR")]
    pub html: Option<PathBuf>,
    /// Names such as std.sae, sae.encode or softmax; without one, all modules
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

#[derive(Args, Clone, Debug)]
pub struct TokenizeArgs {
    /// A tokenizer.json, a folder with one, a GGUF file, or a tokenizer of llama2.c
    #[arg(long, value_name = "PATH")]
    pub tokenizer: PathBuf,
    /// Only the ids, on one line
    #[arg(long, conflicts_with = "decode")]
    pub ids: bool,
    /// The text is ids: show what they stand for
    #[arg(long)]
    pub decode: bool,
    /// The text; without one, or with -, standard input
    #[arg(allow_hyphen_values = true)]
    pub text: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub struct ConvertArgs {
    /// The files to write [default: by the name of TO: .npz Gemma Scope's, .pt OpenAI's, else a folder of SAELens]
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub to_format: Option<FormatChoice>,
    /// A folder of SAELens, sparsify or dictionary_learning, a params.npz of Gemma Scope, or a .pt of OpenAI's
    pub from: PathBuf,
    /// What to write; it must not exist yet
    pub to: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub struct ReplArgs {
    #[command(flatten)]
    pub common: Common,
    /// Compute everything, whatever is remembered
    #[arg(long)]
    pub fresh: bool,
    /// A program to run first
    pub file: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct LspArgs {
    /// Over standard input and output, which is the only way; some editors say so
    #[arg(long)]
    pub stdio: bool,
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
pub enum FormatChoice {
    /// cfg.json and sae_weights.safetensors
    #[value(name = "saelens")]
    SaeLens,
    /// cfg.json and sae.safetensors: TopK
    Sparsify,
    /// config.json and ae.pt
    #[value(name = "dictionary_learning")]
    DictionaryLearning,
    /// params.npz: JumpReLU
    #[value(name = "gemma-scope")]
    GemmaScope,
    /// autoencoder.pt: TopK of normalised inputs, or ReLU
    #[value(name = "openai")]
    OpenAi,
}

impl From<FormatChoice> for Format {
    fn from(choice: FormatChoice) -> Format {
        match choice {
            FormatChoice::SaeLens => Format::SaeLens,
            FormatChoice::Sparsify => Format::Sparsify,
            FormatChoice::DictionaryLearning => Format::DictionaryLearning,
            FormatChoice::GemmaScope => Format::GemmaScope,
            FormatChoice::OpenAi => Format::OpenAi,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
