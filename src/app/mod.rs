//! The command line and the prompt.
//!
//! The only layer that prints, colors, and chooses exit codes. It computes nothing: every command is a few calls
//! of `session`.

mod bundle;
mod cache;
mod cli;
mod convert;
mod dump;
mod fence;
mod fmt;
mod info;
mod inspect;
mod interrupt;
mod lsp;
mod output;
mod pages;
mod plan;
mod profile;
mod repl;
mod report;
mod run;
mod tokenize;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

/// The program ran, and every expectation that was asked about held.
const OK: u8 = 0;
/// The program failed while it ran, or an expectation did not hold.
const FAILED: u8 = 1;
/// Bad usage, or the program does not check.
const REFUSED: u8 = 2;
/// Ctrl-C.
const INTERRUPTED: u8 = 130;
/// A polite request to end.
const TERMINATED: u8 = 143;
/// Whoever read our output has gone, as a shell reports it.
const CLOSED: u8 = 141;

/// Deeply nested programs recurse in the checker and the engines. Only what is used is ever mapped.
const STACK_BYTES: usize = 256 << 20;

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before any other thread: they inherit the fence. The output folder is given up last, if nothing was written.
    output::hold(fence::around(&cli.command));
    // A fault of our own is reported by whoever catches it, in one paragraph.
    std::panic::set_hook(Box::new(|about| output::remember_panic(about)));
    let work = std::thread::Builder::new().name("locus".to_string()).stack_size(STACK_BYTES);
    let code = match work.spawn(move || dispatch(cli.command)).map(|thread| thread.join()) {
        Ok(Ok(code)) => code,
        Ok(Err(_)) => output::internal_fault(),
        Err(error) => {
            output::complain(&format!("error: cannot start: {error}"));
            FAILED
        }
    };
    output::hold(None);
    ExitCode::from(code)
}

fn dispatch(command: Command) -> u8 {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Report(args) => report::report(&args),
        Command::Check(args) => run::check(&args),
        Command::Verify(args) => run::verify(&args),
        Command::Bless(args) => run::bless(&args),
        Command::Bundle(args) => bundle::bundle(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Dump(args) => dump::dump(&args),
        Command::Fmt(args) => fmt::fmt(&args),
        Command::Explain { code } => pages::explain(code.as_deref()),
        Command::Doc(args) => pages::doc(&args),
        Command::Info { kernel } => info::info(kernel),
        Command::Inspect { path } => inspect::inspect(&path),
        Command::Tokenize(args) => tokenize::tokenize(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Cache(args) => cache::cache(&args),
        Command::Repl(args) => repl::repl(&args),
        Command::Lsp(_) => lsp::serve(),
    }
}
