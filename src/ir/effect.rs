//! What a statement does besides giving values.

use super::{Module, Op};

/// From nothing to what others see, so that the effect of several is the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// May be removed, shared, reordered, and computed twice.
    #[default]
    None,
    /// May end the run, and leaves no trace otherwise: never removed, but done once with the forward part of what is
    /// differentiated.
    Checks,
    /// Prints, writes, reports, or sets a global: never removed, shared, reordered or differentiated.
    Shows,
}

/// Builtins that only check.
const CHECKS: &[&str] = &["assert", "check_tensors", "check_shape"];

/// Builtins that show something.
const SHOWS: &[&str] = &[
    "print",
    "report",
    "plot",
    "write_npy",
    "write_safetensors",
    "write_npz",
    "write_torch",
    "write_text",
    "expect_value",
    "loop_start",
    "loop_due",
    "loop_save",
    "loop_end",
];

/// What the name of a function of the host begins with; no other builtin has a dot in its name.
pub const HOST: &str = "host.";

/// The same for a function that was declared pure.
pub const PURE_HOST: &str = "pure host.";

/// Is it a function that the program around the session registered?
pub fn is_host_function(name: &str) -> bool {
    name.starts_with(HOST) || name.starts_with(PURE_HOST)
}

/// The effect of a builtin by its name.
pub fn builtin_effect(name: &str) -> Effect {
    match name {
        _ if CHECKS.contains(&name) => Effect::Checks,
        // Nobody here knows what it does.
        _ if SHOWS.contains(&name) || name.starts_with(HOST) => Effect::Shows,
        _ => Effect::None,
    }
}

/// May it be removed, shared and reordered?
pub fn builtin_is_pure(name: &str) -> bool {
    builtin_effect(name) == Effect::None
}

impl Module {
    /// The effect of an operation itself, and of the function that it calls; not of the blocks inside it.
    pub fn effect_of(&self, op: &Op) -> Effect {
        match op {
            Op::Builtin { name, .. } => builtin_effect(name),
            Op::Call { func, .. } | Op::Grad { func, .. } => {
                self.functions.get(func.0 as usize).map_or(Effect::None, |callee| callee.effect)
            }
            Op::GlobalSet(..) => Effect::Shows,
            _ => Effect::None,
        }
    }
}
