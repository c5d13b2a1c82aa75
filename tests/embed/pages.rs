//! The code in `docs/embedding.md` is that of the example, which is built and run.

use std::path::Path;

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_page_shows_what_the_example_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/embedding.md")).unwrap();
    let example = std::fs::read_to_string(root.join("examples/embed.rs")).unwrap();
    let example = lines(&example);
    let mut seen = 0;
    for block in page.split("```rust\n").skip(1) {
        let block = lines(block.split("```").next().unwrap());
        let stands = example.windows(block.len()).any(|part| part == block);
        assert!(stands, "this is not in examples/embed.rs:\n{}", block.join("\n"));
        seen += 1;
    }
    assert!(seen >= 5, "{seen} blocks");
}

#[test]
fn the_example_finds_what_was_planted() {
    let mut said = Vec::new();
    super::example::ask(&mut |line| said.push(line)).unwrap_or_else(|why| panic!("{why}"));
    let text = said.join("\n");
    for part in ["program: highest at hour 6", "R007 at Some((1, 1))", "stopped by the host", "expectations hold: true"]
    {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}
