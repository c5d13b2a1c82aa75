//! Broken tokenizers and texts: whatever the bytes are, an error or a sound value comes of them, soon and in little
//! memory. The breakage is drawn from seeds, so a fault that is found once is found again.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use locus::rt::corpus::{self, Document, Wanted};
use locus::rt::error::Result;
use locus::rt::files;

/// Cases of each kind of file; together some 400.
const CASES: u64 = 60;
const SLOWEST: Duration = Duration::from_secs(2);

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A GGUF file with a vocabulary of its own: byte-level BPE, or pieces with scores.
fn gguf(model: &str) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let one = |name: &str, value: &str| [text(name), 8u32.to_le_bytes().to_vec(), text(value)].concat();
    let list = |name: &str, kind: u32, items: Vec<Vec<u8>>| {
        let head = [text(name), 9u32.to_le_bytes().to_vec(), kind.to_le_bytes().to_vec()].concat();
        [head, (items.len() as u64).to_le_bytes().to_vec(), items.concat()].concat()
    };
    let mut names: Vec<String> = ["<unk>", "<s>", "a", "b", "ab", "Ġ", "Ġab", "▁a", "▁"].map(String::from).to_vec();
    names.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    let kinds = (0..names.len()).map(|id| {
        if id < 2 {
            3i32
        } else if id < 9 {
            1
        } else {
            6
        }
        .to_le_bytes()
        .to_vec()
    });
    let scores = (0..names.len()).map(|id| (-(id as f32)).to_le_bytes().to_vec());
    let merges = ["a b", "Ġ ab"].map(text).to_vec();
    let settings = [
        one("tokenizer.ggml.model", model),
        one("tokenizer.ggml.pre", "llama-bpe"),
        list("tokenizer.ggml.tokens", 8, names.iter().map(|name| text(name)).collect()),
        list("tokenizer.ggml.token_type", 5, kinds.collect()),
        list("tokenizer.ggml.scores", 6, scores.collect()),
        list("tokenizer.ggml.merges", 8, merges),
    ];
    let head =
        [&b"GGUF"[..], &3u32.to_le_bytes(), &0u64.to_le_bytes(), &(settings.len() as u64).to_le_bytes()].concat();
    [head, settings.concat()].concat()
}

/// A file that is not what it was.
fn broken(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = dice.below(bytes.len());
    match dice.below(8) {
        0 => bytes.truncate(at.max(1)),
        1 => bytes[at] ^= 1 << dice.below(8),
        2 => (0..1 + dice.below(20)).for_each(|_| {
            let at = dice.below(bytes.len());
            bytes[at] = dice.next() as u8;
        }),
        3 => {
            // A number that is as large as it can be, of one sign or the other, or near a power of two.
            let number = [u64::MAX, 1 << 63, i64::MAX as u64, u32::MAX as u64, 1 << 31, 1 << 20][dice.below(6)];
            let width = [1, 2, 4, 8][dice.below(4)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        }
        4 => {
            let end = (at + dice.below(200)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
        5 => {
            let end = (at + dice.below(200)).min(bytes.len());
            let again = bytes[at..end].to_vec();
            let to = dice.below(bytes.len());
            drop(bytes.splice(to..to, again));
        }
        6 => {
            let deep = [&b"["[..], b"{\"a\":", b"\"", b"\xff", b"\0"][dice.below(5)].repeat(5000);
            drop(bytes.splice(at..at, deep));
        }
        // The end, where some formats have their directory.
        _ => {
            let from = bytes.len().saturating_sub(1 + dice.below(300));
            let at = from + dice.below(bytes.len() - from);
            bytes[at] = dice.next() as u8;
        }
    }
    if bytes.is_empty() { vec![0] } else { bytes }
}

/// What a program does with a tokenizer.
fn tokenize(path: &std::path::Path) -> Result<()> {
    let file = files::open(path, "", "words")?;
    let words = file.tokenizer()?;
    for text in ["", " ", "Fellow citizens, ab  ab!\n\n1790", "é🙂 e\u{301}<|endoftext|><s>", &"ab ".repeat(500)] {
        let ids = words.encode(text)?;
        // A token that cannot be shown is none.
        assert!(ids.iter().all(|&id| words.piece(id).is_some()), "{}", path.display());
        words.decode(&ids)?;
    }
    (0..300).for_each(|id| drop(words.decode(&[id])));
    drop((words.special(), words.id("<s>"), words.size()));
    Ok(())
}

/// What a program does with a corpus.
fn read(path: &std::path::Path, column: &str, ids: bool) -> Result<()> {
    let file = files::open(path, "", "corpus")?;
    let (mut documents, mut bytes) = (0, 0);
    for document in corpus::documents(&file, Wanted { column, separator: "", ids })? {
        bytes += match document? {
            Document::Text(text) => text.len(),
            Document::Ids(ids) => {
                assert!(ids.iter().all(|&id| id >= 0));
                ids.len()
            }
        };
        documents += 1;
        // A small file cannot hold this much, unless it repeats itself.
        if documents > 100_000 || bytes > 64 << 20 {
            break;
        }
    }
    Ok(())
}

#[test]
fn whatever_the_bytes_are_an_error_or_a_sound_value_comes_of_them() {
    let data = |name: &str| fs::read(root().join(name)).unwrap();
    let table = |name: &str| data(&format!("tests/run/data/{name}"));
    type Use = fn(&std::path::Path) -> Result<()>;
    let kind = |name: &'static str, whole: Vec<u8>, judge: Use| (name, whole, judge);
    let kinds = [
        kind("tokenizer.json", data("examples/data/tokenizer.json"), tokenize),
        kind("tok512.bin", table("tok512.bin"), tokenize),
        kind("bytes.gguf", gguf("gpt2"), tokenize),
        kind("pieces.gguf", gguf("llama"), tokenize),
        kind("a.jsonl", table("addresses.jsonl"), |path| read(path, "text", false)),
        kind("a.txt", table("lines.txt"), |path| read(path, "", false)),
        kind("a.arrow", table("addresses.arrow"), |path| read(path, "text", false)),
        kind("b.arrow", table("addresses.arrow"), |path| read(path, "input_ids", true)),
        kind("a.parquet", table("addresses.parquet"), |path| read(path, "text", false)),
        kind("b.parquet", table("addresses.parquet"), |path| read(path, "input_ids", true)),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, whole, judge) in kinds {
        let path = folder.path().join(name);
        fs::write(&path, &whole).unwrap();
        if let Err(error) = judge(&path) {
            panic!("{name} is whole, but: {error} {:?}", error.notes);
        }
        let mut errors = 0;
        for seed in 0..CASES {
            fs::write(&path, broken(&whole, &mut Dice(seed))).unwrap();
            let started = Instant::now();
            if let Err(error) = judge(&path) {
                errors += 1;
                assert!(["R004", "R006", "R007", "R008", "R010"].contains(&error.code), "{name}, seed {seed}: {error}");
                assert!(error.message.len() < 600 && !error.message.contains('\n'), "{name}, seed {seed}: {error}");
            }
            assert!(started.elapsed() < SLOWEST, "{name}, seed {seed}: {:?}", started.elapsed());
        }
        println!("{name}: {errors} of {CASES} are errors");
        assert!(errors >= CASES / 6, "{name}: only {errors} of {CASES} are errors");
    }
    // The most that this process ever took, the program and its libraries included.
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
        println!("the most memory: {peak} KiB");
        assert!(peak < 200_000, "{peak} KiB");
    }
}
