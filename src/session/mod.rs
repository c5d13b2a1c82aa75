//! A session: sources, modules, checked items, running them, remembering globals.
//!
//! The only layer that joins the checker to the passes, the engines and the runtime, and the only one that opens
//! program text. It never prints: output goes through a `rt::ctx::World`, messages are returned as diagnostics.

pub mod bless;
pub mod bundle;
pub mod convert;
pub mod editor;
pub mod embedded;
pub mod engines;
pub mod explain;
pub mod fault;
pub mod fence;
pub mod folder;
pub mod inspect;
pub mod journal;
pub mod layout;
pub mod limits;
pub mod load;
pub mod machine;
pub mod plan;
pub mod profile;
pub mod prompt;
pub mod provenance;
pub mod recall;
pub mod reference;
mod release;
pub mod remember;
pub mod report;
pub mod run;
pub mod verify;
pub mod world;

pub use engines::EngineKind;
pub use fault::Failure;
pub use remember::Remember;
pub use run::{Outcome, Output, Session, Settings};
