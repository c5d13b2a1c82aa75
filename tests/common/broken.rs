//! Broken files made of sound ones, always the same: by accident (cut, flipped bits, extreme numbers) and with intent.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;
use std::path::Path;

/// One broken file or folder.
pub struct Case {
    pub kind: &'static str,
    /// The sound file that it was made of.
    pub of: &'static str,
    pub made: Made,
    /// No reader may take it for sound.
    pub must_fail: bool,
}

pub enum Made {
    File(Vec<u8>),
    Folder(Vec<(String, Vec<u8>)>),
}

impl Case {
    pub fn size(&self) -> u64 {
        match &self.made {
            Made::File(bytes) => bytes.len() as u64,
            Made::Folder(members) => members.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        }
    }
}

/// A small generator with a long period (xorshift64*); the numbers are part of no result.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit.max(1)
    }
}

/// A sound file, and how many of its first and last bytes say what the others are.
struct Sound {
    name: &'static str,
    bytes: Vec<u8>,
    head: usize,
    tail: usize,
}

fn sound() -> Vec<Sound> {
    let read = |name: &str| {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/readers").join(name)).unwrap()
    };
    let header = |bytes: &[u8]| 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let safetensors = read("llama2c.safetensors");
    let npy = npy("<f4", "(3, 4)", &[0; 48]);
    let config = br#"{"model_type": "llama", "hidden_size": 64, "rope_parameters": {"rope_theta": 1e4}, "a": [1, 2]}"#;
    vec![
        Sound { name: "safetensors", head: header(&safetensors), tail: 0, bytes: safetensors },
        Sound { name: "gguf", bytes: read("quantised.gguf"), head: 1500, tail: 0 },
        Sound { name: "torch", bytes: read("nested.pt"), head: 1400, tail: 1600 },
        Sound { name: "stored npz", bytes: read("stored.npz"), head: 200, tail: 500 },
        Sound { name: "packed npz", bytes: read("packed.npz"), head: 400, tail: 600 },
        Sound { name: "llama2c", bytes: read("llama2c.bin"), head: 28, tail: 0 },
        Sound { name: "npy", head: npy.len() - 48, bytes: npy, tail: 0 },
        Sound { name: "json", bytes: config.to_vec(), head: config.len(), tail: 0 },
    ]
}

fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out.extend(data);
    out
}

/// All cases, the accidents first.
pub fn cases() -> Vec<Case> {
    let mut random = Random(0x4C6F_6375_7331_3031);
    let mut cases = Vec::new();
    for sound in sound() {
        for number in 0..200 {
            cases.push(accident(&sound, number, &mut random));
        }
    }
    cases.extend(pickles());
    cases.extend(headers());
    cases.extend(zips());
    cases.extend(folders());
    cases
}

fn accident(sound: &Sound, number: usize, random: &mut Random) -> Case {
    let mut bytes = sound.bytes.clone();
    let place = |random: &mut Random| {
        let at = random.below(sound.head + sound.tail);
        if at < sound.head {
            at.min(sound.bytes.len() - 1)
        } else {
            sound.bytes.len() - 1 - (at - sound.head).min(sound.bytes.len() - 1)
        }
    };
    // A file that is a text, or one number longer, may be sound without its end; all others say how long they are.
    let (kind, must_fail) = match number % 5 {
        0 => {
            bytes.truncate(1 + random.below(bytes.len() - 1));
            ("cut short", true)
        }
        1 => {
            for _ in 0..1 + random.below(4) {
                let at = place(random);
                bytes[at] ^= 1 << random.below(8);
            }
            ("flipped bits", false)
        }
        2 => {
            const EXTREMES: [u64; 8] =
                [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 62, u32::MAX as u64, 1 << 31, 1 << 40, 0];
            let (at, extreme) = (place(random), EXTREMES[random.below(8)].to_le_bytes());
            let width = [4, 8][random.below(2)];
            for (slot, byte) in bytes[at..].iter_mut().zip(&extreme[..width]) {
                *slot = *byte;
            }
            ("extreme numbers", false)
        }
        3 => {
            let (from, to, count) = (place(random), place(random), 1 + random.below(64));
            let part: Vec<u8> = bytes[from..].iter().take(count).copied().collect();
            for (slot, byte) in bytes[to..].iter_mut().zip(part) {
                *slot = byte;
            }
            ("parts copied elsewhere", false)
        }
        _ => {
            let (at, count) = (place(random), 1 + random.below(16));
            let noise: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, noise);
            ("bytes put in", false)
        }
    };
    Case { kind, of: sound.name, must_fail: must_fail && bytes != sound.bytes, made: Made::File(bytes) }
}

fn wrong(kind: &'static str, of: &'static str, bytes: Vec<u8>) -> Case {
    Case { kind, of, made: Made::File(bytes), must_fail: true }
}

/// Pickles that would do something, if they were run.
fn pickles() -> Vec<Case> {
    const CALLS: &[&str] = &[
        "os system",
        "posix system",
        "nt system",
        "subprocess Popen",
        "subprocess check_output",
        "builtins eval",
        "builtins exec",
        "builtins compile",
        "builtins getattr",
        "builtins __import__",
        "builtins open",
        "builtins print",
        "__builtin__ eval",
        "importlib import_module",
        "runpy _run_code",
        "pickle loads",
        "_pickle loads",
        "marshal loads",
        "types CodeType",
        "types FunctionType",
        "operator attrgetter",
        "operator methodcaller",
        "functools partial",
        "socket socket",
        "urllib.request urlopen",
        "requests get",
        "shutil rmtree",
        "webbrowser open",
        "ctypes CDLL",
        "torch load",
        "torch.hub load",
        "torch._utils _rebuild_qtensor",
        "torch.jit load",
        "numpy load",
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
        "collections defaultdict",
        "copyreg _reconstructor",
        "argparse Namespace",
        "torch.nn.modules.linear Linear",
        "transformers.training_args TrainingArguments",
        "torch.storage _load_from_bytes",
        "torch UntypedStorage",
        "torch._utils _rebuild_device_tensor_from_numpy",
        "code InteractiveInterpreter",
        "timeit main",
        "pdb run",
        "pip main",
        "site main",
        "bdb Bdb",
    ];
    let mut cases = Vec::new();
    for call in CALLS {
        let (module, name) = call.split_once(' ').unwrap();
        let argument = b"X\x08\0\0\0touch /x";
        let by_line = [b"\x80\x02c", module.as_bytes(), b"\n", name.as_bytes(), b"\n", argument, b"\x85R."].concat();
        let text = |text: &str| [&[0x8c, text.len() as u8][..], text.as_bytes()].concat();
        let by_stack = [b"\x80\x04", &text(module)[..], &text(name), b"\x93", argument, b"\x85R."].concat();
        let made = [b"\x80\x02c", module.as_bytes(), b"\n", name.as_bytes(), b"\n)\x81}b."].concat();
        let old = [b"\x80\x02(", &argument[..], b"i", module.as_bytes(), b"\n", name.as_bytes(), b"\n."].concat();
        for pickle in [by_line, by_stack, made, old] {
            cases.push(wrong("pickles that call", "torch", torch(&pickle)));
        }
    }
    let deep =
        |open: &[u8], close: &[u8]| [b"\x80\x02", &open.repeat(200_000)[..], &close.repeat(199_999), b"."].concat();
    for pickle in [
        deep(b"]", b"a"),
        deep(b"}K\x01", b"s"),
        deep(b"(", b"t"),
        b"\x80\x02]q\0h\0a.".to_vec(),
        b"\x80\x02}q\0K\x01h\0s.".to_vec(),
        [&b"\x80\x02"[..], &b"]".repeat(1_200_000), b"."].concat(),
        b"\x80\x02X\xff\xff\xff\xff.".to_vec(),
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.".to_vec(),
        b"\x80\x02\x8a\xff.".to_vec(),
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"\x80\x02ctorch\nFloatStorage\n.".to_vec(),
        b"\x80\x02h\xff.".to_vec(),
        b"\x80\x02j\xff\xff\xff\xff.".to_vec(),
    ] {
        cases.push(wrong("pickles without sense", "torch", torch(&pickle)));
    }
    cases
}

fn torch(pickle: &[u8]) -> Vec<u8> {
    zipped(&[Member::plain("a/data.pkl", pickle), Member::plain("a/data/0", &[0; 16])])
}

/// Headers made with intent: overlaps, gaps, sizes near 2^63, deep JSON.
fn headers() -> Vec<Case> {
    let safetensors = |text: &str, data: usize| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend(vec![0; data]);
        wrong("headers that lie", "safetensors", bytes)
    };
    let one = |name: &str, shape: &str, from: &str, to: &str| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let mut cases = Vec::new();
    for (shape, from, to) in [
        ("[2]", "0", "8"),
        ("[9223372036854775807]", "0", "16"),
        ("[4611686018427387904,4]", "0", "16"),
        ("[4294967296,4294967296,4]", "0", "16"),
        ("[18446744073709551615]", "0", "16"),
        ("[18446744073709551616]", "0", "16"),
        ("[-4]", "0", "16"),
        ("[4.5]", "0", "16"),
        ("[0,9223372036854775807]", "0", "0"),
        ("[4]", "0", "18446744073709551615"),
        ("[4]", "18446744073709551600", "0"),
        ("[4]", "16", "0"),
        ("[4]", "4", "20"),
        ("[4]", "9223372036854775792", "9223372036854775808"),
        ("[1,1,1,1,1,1,1,1,4]", "0", "16"),
        ("[[4]]", "0", "16"),
        ("{}", "0", "16"),
        ("null", "0", "16"),
        ("[4]", "\"0\"", "16"),
    ] {
        cases.push(safetensors(&format!("{{{}}}", one("w", shape, from, to)), 16));
    }
    for overlap in [
        ("0", "8", "4", "12"),
        ("0", "8", "0", "8"),
        ("0", "8", "12", "20"),
        ("4", "12", "0", "8"),
        ("0", "8", "7", "15"),
    ] {
        let (a, b, c, d) = overlap;
        cases.push(safetensors(&format!("{{{},{}}}", one("v", "[2]", a, b), one("w", "[2]", c, d)), 16));
    }
    for text in
        ["[".repeat(1_000_000), "{\"a\":".repeat(500_000), "{".repeat(100), format!("{{\"w\":{}", "[".repeat(300_000))]
    {
        cases.push(safetensors(&text, 16));
        cases.push(wrong("deep JSON", "json", [b"{\"a\":", text.as_bytes()].concat()));
    }
    for length in [u64::MAX, 1 << 63, (1 << 63) - 8, u32::MAX as u64, 100] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{}                ");
        cases.push(wrong("headers that lie", "safetensors", bytes));
    }
    for shape in [
        "(9223372036854775807,)",
        "(4294967296, 4294967296)",
        "(-1,)",
        "(0, 18446744073709551615)",
        "(12,)",
        "(3, 5)",
        "((3), 4)",
    ] {
        cases.push(wrong("headers that lie", "npy", npy("<f4", shape, &[0; 47])));
    }
    for kind in ["|O", "<U8", "<c8", "<M8[s]", "<f16", "<f3", "[('a', '<f4')]"] {
        cases.push(wrong("headers that lie", "npy", npy(kind, "(3, 4)", &[0; 48])));
    }
    cases.extend(ggufs());
    cases
}

/// The beginning of a GGUF file.
fn gguf(tensors: u64, settings: u64) -> Vec<u8> {
    [&b"GGUF\x03\0\0\0"[..], &tensors.to_le_bytes(), &settings.to_le_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn ggufs() -> Vec<Case> {
    let setting = |kind: u32, value: &[u8]| [&gguf(0, 1)[..], &text("a.b"), &kind.to_le_bytes(), value].concat();
    let list = |kind: u32, count: u64, rest: &[u8]| [&kind.to_le_bytes()[..], &count.to_le_bytes(), rest].concat();
    let tensor = |lengths: &[u64], kind: u32, offset: u64, data: usize| {
        let mut bytes = [&gguf(1, 0)[..], &text("w"), &(lengths.len() as u32).to_le_bytes()].concat();
        lengths.iter().for_each(|length| bytes.extend(length.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.resize(bytes.len().div_ceil(32) * 32 + data, 0);
        bytes
    };
    let mut nested = vec![];
    (0..100_000).for_each(|_| nested.extend(list(9, 1, &[])));
    let mut made = vec![
        gguf(u64::MAX, 0),
        gguf(0, u64::MAX),
        gguf(1 << 63, 1 << 63),
        gguf(1, 0),
        gguf(0, 1),
        setting(8, &u64::MAX.to_le_bytes()),
        setting(8, &(1u64 << 63).to_le_bytes()),
        setting(99, &[0; 8]),
        setting(7, &[2]),
        setting(9, &list(4, u64::MAX, &[0; 64])),
        setting(9, &list(8, 1 << 61, &[0; 64])),
        setting(9, &list(9, 1 << 60, &[0; 64])),
        setting(9, &list(99, 2, &[0; 64])),
        setting(9, &nested),
        [&gguf(0, 2)[..], &text("a"), &[4, 0, 0, 0, 1, 0, 0, 0], &text("a"), &[4, 0, 0, 0, 1, 0, 0, 0]].concat(),
        [&gguf(0, 1)[..], &text("general.alignment"), &[4, 0, 0, 0, 0, 0, 0, 0], &[0; 32]].concat(),
        [&gguf(0, 1)[..], &text("general.alignment"), &[4, 0, 0, 0, 0, 0, 0, 128], &[0; 32]].concat(),
        [&gguf(0, 1)[..], &text("\u{1b}[31m"), &[4, 0, 0, 0, 0, 0, 0, 0], &[0; 32]].concat(),
    ];
    for (lengths, kind, offset) in [
        (&[4u64][..], 0u32, 32u64),
        (&[4], 0, u64::MAX),
        (&[4], 0, 1 << 63),
        (&[u64::MAX], 0, 0),
        (&[1 << 63], 0, 0),
        (&[1 << 62, 4], 0, 0),
        (&[1 << 32, 1 << 32], 0, 0),
        (&[0, 4], 0, 0),
        (&[33], 2, 0),
        (&[255], 12, 0),
        (&[4], 5, 0),
        (&[4], 77, 0),
        (&[5], 0, 0),
        (&[1; 9], 0, 0),
        (&[1 << 40], 2, 0),
        (&[4, 1 << 62], 30, 0),
    ] {
        made.push(tensor(lengths, kind, offset, 16));
    }
    made.into_iter().map(|bytes| wrong("headers that lie", "gguf", bytes)).collect()
}

/// A member of a zip archive, and what the directory says of it.
struct Member<'a> {
    name: &'a str,
    bytes: Vec<u8>,
    method: u16,
    crc: u32,
    size: u32,
    packed: u32,
    /// Where the directory says that it begins.
    at: Option<u32>,
}

impl Member<'_> {
    fn plain<'a>(name: &'a str, bytes: &[u8]) -> Member<'a> {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let size = bytes.len() as u32;
        Member { name, bytes: bytes.to_vec(), method: 0, crc: crc.sum(), size, packed: size, at: None }
    }

    fn packed<'a>(name: &'a str, bytes: &[u8]) -> Member<'a> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        let packed = encoder.finish().unwrap();
        let plain = Member::plain(name, bytes);
        Member { method: 8, packed: packed.len() as u32, bytes: packed, ..plain }
    }
}

fn zipped(members: &[Member]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let at = member.at.unwrap_or(out.len() as u32);
        let mut about = member.method.to_le_bytes().to_vec();
        about.extend([0, 0, 0x21, 0]);
        for number in [member.crc, member.packed, member.size] {
            about.extend(number.to_le_bytes());
        }
        about.extend((member.name.len() as u16).to_le_bytes());
        about.extend([0, 0]);
        out.extend([&b"PK\x03\x04\x14\0\0\0"[..], &about, member.name.as_bytes(), &member.bytes].concat());
        directory.extend(
            [&b"PK\x01\x02\x14\0\x14\0\0\0"[..], &about, &[0; 10], &at.to_le_bytes(), member.name.as_bytes()].concat(),
        );
    }
    let (count, size, at) = (members.len() as u16, directory.len() as u32, out.len() as u32);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend([size.to_le_bytes(), at.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

/// Archives made with intent: bombs, lies about sizes, members upon members.
fn zips() -> Vec<Case> {
    let array = npy("<f4", "(3, 4)", &[0; 48]);
    let good = || Member::packed("w.npy", &array);
    let bomb = vec![0; 64 << 20];
    let huge = npy("<f4", "(16777216,)", &[]);
    let lies = vec![
        zipped(&[Member { size: 4, ..good() }]),
        zipped(&[Member { size: u32::MAX - 1, ..good() }]),
        zipped(&[Member { size: u32::MAX, packed: u32::MAX, ..good() }]),
        zipped(&[Member { packed: 1 << 30, ..good() }]),
        zipped(&[Member { crc: 1, ..good() }]),
        zipped(&[Member { method: 12, ..good() }]),
        zipped(&[Member { method: 0, ..good() }]),
        zipped(&[Member { method: 8, ..Member::plain("w.npy", &array) }]),
        zipped(&[Member { size: array.len() as u32 - 4, ..good() }]),
        zipped(&[Member { at: Some(u32::MAX - 1), ..good() }]),
        zipped(&[good(), good()]),
        zipped(&[good(), Member { at: Some(0), name: "v.npy", ..good() }]),
        zipped(&[Member::packed("w.npy", &bomb)]),
        zipped(&[Member { size: array.len() as u32, ..Member::packed("w.npy", &bomb) }]),
        zipped(&[Member::packed("w.npy", &[&array[..], &bomb].concat())]),
        zipped(&[Member::packed("a/data.pkl", &bomb)]),
        zipped(&[Member::packed("w.npy", &huge)]),
        zipped(&[Member { size: 64 << 20, ..Member::packed("w.npy", &huge) }]),
        zipped(&[Member::plain("../w.txt", &array)]),
        zipped(&[Member::plain(".npy", &array)]),
        zipped(&[Member::plain("\u{1b}[2J.npy", &array)]),
        zipped(&[]),
        zipped(&[Member::plain("a/data.pkl", b"\x80\x02}."), Member::plain("b/data.pkl", b"\x80\x02}.")]),
        zipped(&[Member::plain("a/data.pkl", b"\x80\x02}."), Member::plain("a/byteorder", b"big")]),
    ];
    lies.into_iter().map(|bytes| wrong("zip archives that lie", "npz", bytes)).collect()
}

/// Folders whose index and shards do not agree, or whose settings are none.
fn folders() -> Vec<Case> {
    let shard = |name: &str| {
        let text = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &[0; 4]].concat()
    };
    let with = |index: &str| {
        let members = [
            ("config.json", b"{}".to_vec()),
            ("1.safetensors", shard("a")),
            ("2.safetensors", shard("b")),
            ("model.safetensors.index.json", index.as_bytes().to_vec()),
        ];
        Made::Folder(members.map(|(name, bytes)| (name.to_string(), bytes)).to_vec())
    };
    let indices = [
        r#"{"weight_map": {"b": "2.safetensors", "c": "1.safetensors"}}"#,
        r#"{"weight_map": {"a": "1.safetensors", "b": "1.safetensors"}}"#,
        r#"{"weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}}"#,
        r#"{"weight_map": {"a": "../1.safetensors", "b": "/etc/passwd"}}"#,
        r#"{"weight_map": {"a": 1}}"#,
        r#"{"weight_map": []}"#,
        r#"{"weight_map": {"a": "config.json", "b": "2.safetensors"}}"#,
        r#"{"weight_map": {"a": "model.safetensors.index.json"}}"#,
        "{}",
        "[",
    ];
    let case = |index: &&str| Case { kind: "folders that disagree", of: "folder", made: with(index), must_fail: true };
    indices.iter().map(case).collect()
}
