//! A session: sources, modules, checked items, running them, remembering globals.
