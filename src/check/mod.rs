//! The checker: names, axes and types; writes the IR.
