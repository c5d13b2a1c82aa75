//! Every site of every model can be replaced: by itself, which changes nothing, and by something else, which changes what
//! the model gives. A site that is read too late, or not at all, shows here.

mod common;

use common::{programs, run};
use locus::session::EngineKind;
use std::fmt::Write;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The program of a reference up to its model, if it has one model: `run` is the model with tokens and told positions.
fn loaded(program: &Path) -> Option<String> {
    let text = std::fs::read_to_string(program).unwrap();
    let place = text.find("\nlet run = compare.told(")?;
    let end = place + 1 + text[place + 1..].find('\n')?;
    let folder = program.parent().unwrap().display().to_string();
    Some(text[..end].replace("file(\"", &format!("file(\"{folder}/")))
}

/// For a site: how far the output moves when the site is replaced by itself, and by its square plus 0.3.
fn asked(site: &str) -> String {
    format!(
        "let same_{site} = (with run.model {{ {site} = fn(x) => x }}).forward(run.tokens, run.ids)\n\
         let other_{site} = (with run.model {{ {site} = fn(x) => x * x + 0.3 }}).forward(run.tokens, run.ids)\n\
         print(\"{site} {{compare.off(same_{site}, whole)}} {{compare.off(other_{site}, whole)}}\")\n"
    )
}

fn far_from_whole(loaded: &str, sites: &[String]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut text = format!("{loaded}\nlet whole = run.model.forward(run.tokens, run.ids)\n");
    sites.iter().for_each(|site| text.write_str(&asked(site)).unwrap());
    std::fs::copy(Path::new(ROOT).join("tests/reference/_compare.exp"), folder.path().join("_compare.exp")).unwrap();
    let path = folder.path().join("sites.exp");
    std::fs::write(&path, text).unwrap();
    let ran = run(&path, EngineKind::Jit, &[]);
    ran.fault.map_or(Ok(ran.text), Err)
}

/// The sites of the model: the error about a name that it lacks lists them.
fn sites_of(loaded: &str) -> Vec<String> {
    let fault = far_from_whole(loaded, &["absent".to_string()]).expect_err("no model has a site `absent`");
    let line = fault.lines().find_map(|line| line.split_once("its sites: ")).unwrap_or_else(|| panic!("{fault}"));
    line.1.split(", ").map(|site| site.trim().to_string()).collect()
}

#[test]
fn every_site_of_every_model_can_be_replaced() {
    let (mut models, mut faults) = (0, Vec::new());
    for program in programs("tests/reference") {
        let Some(loaded) = loaded(&program) else { continue };
        let shown = program.file_stem().unwrap().to_string_lossy().into_owned();
        let sites = sites_of(&loaded);
        assert!(sites.len() >= 10, "{shown} has only {sites:?}");
        let text = far_from_whole(&loaded, &sites).unwrap();
        assert_eq!(text.lines().count(), sites.len(), "{text}");
        for line in text.lines() {
            let mut words = line.split(' ');
            let (site, same, other) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let (same, other): (f64, f64) = (same.parse().unwrap(), other.parse().unwrap());
            if !(same <= 1e-5 && other >= 1e-3) {
                faults.push(format!("{shown} {site}: by itself {same:e}, by another value {other:e}"));
            }
        }
        models += 1;
    }
    assert!(models >= 15, "only {models} models");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
