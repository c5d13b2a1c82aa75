//! The engines a session can run with, by the name that the command line gives them.

use crate::exec::{Engine, Oracle};
use crate::jit::Jit;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// Machine code.
    #[default]
    Jit,
    /// The interpreter, on the same IR as machine code: the same bits.
    Interp,
    /// The interpreter, on the IR as the checker made it: agrees within 1e-6.
    InterpUnoptimised,
}

impl EngineKind {
    pub const ALL: [EngineKind; 3] = [EngineKind::Jit, EngineKind::Interp, EngineKind::InterpUnoptimised];

    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Jit => "jit",
            EngineKind::Interp => "interp",
            EngineKind::InterpUnoptimised => "interp-unoptimised",
        }
    }

    /// Does the engine run what the passes made?
    pub fn runs_optimised(self) -> bool {
        self != EngineKind::InterpUnoptimised
    }

    pub fn start(self) -> Box<dyn Engine> {
        match self {
            EngineKind::Jit => Box::new(Jit::new()),
            EngineKind::Interp | EngineKind::InterpUnoptimised => Box::new(Oracle),
        }
    }
}
