//! Programs that check and then stop: input that leaves a statistic nothing to say. Beside each stands the message (`UPDATE=1` rewrites it).

mod common;

use common::{programs, run};
use locus::session::EngineKind;
use std::path::Path;

fn told(path: &Path) -> String {
    let fault = run(path, EngineKind::Interp, &[]).fault.unwrap_or_else(|| "it runs to its end\n".to_string());
    let folder = format!("{}/", path.parent().unwrap().display());
    fault.replace(&folder, "")
}

#[test]
fn each_stops_with_one_clear_message() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut faults = Vec::new();
    for path in programs("tests/stops") {
        let (found, beside) = (told(&path), path.with_extension("txt"));
        if update {
            std::fs::write(&beside, &found).unwrap();
        }
        let wanted = std::fs::read_to_string(&beside).unwrap_or_default();
        if found != wanted || !found.starts_with("error[R0") || found.contains("R099") {
            faults.push(format!("{}:\n--- expected\n{wanted}--- found\n{found}", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
