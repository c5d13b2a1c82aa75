//! Forged bundles: a sound one, taken apart and put together again with one lie. Each case has a name, under which
//! `forged.txt` says what its reader must answer.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The fields of a header, as the archive will state them, whatever is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub name: Vec<u8>,
    pub version: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub crc: u32,
    pub packed: u32,
    pub size: u32,
    pub extra: Vec<u8>,
}

/// One entry: its bytes, and what its own header and the directory say of it.
#[derive(Clone, Debug)]
pub struct Member {
    pub data: Vec<u8>,
    pub local: Head,
    pub central: Head,
    pub rights: u32,
    pub comment: Vec<u8>,
    /// Where the directory says that it begins, if that is a lie.
    pub place: Option<u32>,
    /// Bytes between the entry before and this one.
    pub gap: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Archive {
    pub members: Vec<Member>,
    /// What the directory lists; usually every member once.
    pub listed: Vec<usize>,
    pub disk: u16,
    pub count: Option<u16>,
    pub comment: Vec<u8>,
    pub after: Vec<u8>,
    pub before: Vec<u8>,
}

impl Member {
    pub fn new(name: &str, data: &[u8]) -> Member {
        let crc = crc(data);
        let size = data.len() as u32;
        let (name, extra) = (name.as_bytes().to_vec(), Vec::new());
        let head = Head { name, version: 20, flags: 0x800, method: 0, time: 0, crc, packed: size, size, extra };
        let (local, central) = (head.clone(), head);
        Member {
            data: data.to_vec(),
            local,
            central,
            rights: 0o100_644 << 16,
            comment: vec![],
            place: None,
            gap: vec![],
        }
    }

    /// Both headers alike.
    pub fn both(&mut self, change: impl Fn(&mut Head)) {
        change(&mut self.local);
        change(&mut self.central);
    }

    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.local.name).into_owned()
    }
}

fn crc(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

pub fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| out.extend(value.to_le_bytes()));
}

fn long(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| out.extend(value.to_le_bytes()));
}

fn fields(out: &mut Vec<u8>, head: &Head) {
    short(out, &[head.version, head.flags, head.method, head.time, 0x21]);
    long(out, &[head.crc, head.packed, head.size]);
    short(out, &[head.name.len() as u16, head.extra.len() as u16]);
}

impl Archive {
    /// Takes a sound archive apart.
    pub fn read(bytes: &[u8]) -> Archive {
        let mut members = Vec::new();
        let mut at = 0;
        while bytes[at..at + 4] == *b"PK\x03\x04" {
            let number = |place: usize, size: usize| {
                bytes[place..place + size].iter().rev().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte))
            };
            let (size, name) = (number(at + 18, 4), number(at + 26, 2));
            let text = String::from_utf8(bytes[at + 30..at + 30 + name].to_vec()).unwrap();
            let start = at + 30 + name;
            members.push(Member::new(&text, &bytes[start..start + size]));
            at = start + size;
        }
        let archive = Archive::of(members);
        assert_eq!(archive.bytes(), bytes, "the archive of the test is not the one that is written");
        archive
    }

    fn of(members: Vec<Member>) -> Archive {
        let listed = (0..members.len()).collect();
        Archive { members, listed, disk: 0, count: None, comment: vec![], after: vec![], before: vec![] }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let mut places = Vec::new();
        for member in &self.members {
            out.extend(&member.gap);
            places.push(out.len() as u32);
            long(&mut out, &[0x0403_4b50]);
            fields(&mut out, &member.local);
            out.extend(member.local.name.iter().chain(&member.local.extra).chain(&member.data));
        }
        let start = out.len() as u32;
        for &number in &self.listed {
            let (member, place) = (&self.members[number], places[number]);
            long(&mut out, &[0x0201_4b50]);
            short(&mut out, &[3 << 8 | 20]);
            fields(&mut out, &member.central);
            short(&mut out, &[member.comment.len() as u16, 0, 0]);
            long(&mut out, &[member.rights, member.place.unwrap_or(place)]);
            out.extend(member.central.name.iter().chain(&member.central.extra).chain(&member.comment));
        }
        let size = out.len() as u32 - start;
        let count = self.count.unwrap_or(self.listed.len() as u16);
        long(&mut out, &[0x0605_4b50]);
        short(&mut out, &[self.disk, 0, count, count]);
        long(&mut out, &[size, start]);
        short(&mut out, &[self.comment.len() as u16]);
        out.extend(self.comment.iter().chain(&self.after));
        out
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&self.members[0].data).unwrap()
    }

    /// Replaces an entry's bytes; its headers tell the truth about them.
    pub fn set(&mut self, number: usize, data: &[u8]) {
        let name = self.members[number].name();
        self.members[number] = Member::new(&name, data);
    }

    pub fn set_manifest(&mut self, manifest: &Value) {
        let text = serde_json::to_string_pretty(manifest).unwrap() + "\n";
        self.set(0, text.as_bytes());
    }

    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest();
        change(&mut manifest);
        self.set_manifest(&manifest);
    }

    pub fn find(&self, name: &str) -> usize {
        self.members.iter().position(|member| member.name() == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Replaces a file, and what the manifest says of it: a consistent other bundle.
    pub fn replace(&mut self, name: &str, data: &[u8]) {
        self.set(self.find(name), data);
        self.edit(|manifest| {
            let files = manifest["files"].as_array_mut().unwrap();
            let file = files.iter_mut().find(|file| file["path"] == name).unwrap();
            file["bytes"] = json!(data.len());
            file["sha256"] = json!(sha256(data));
        });
    }

    fn insert(&mut self, at: usize, member: Member) {
        self.members.insert(at, member);
        self.listed = (0..self.members.len()).collect();
    }

    /// Puts files in, sorted, with their lines in the manifest.
    fn add(&mut self, files: &[(&str, &[u8])]) {
        for (name, data) in files {
            let last = self.members.len() - 1;
            self.insert(last, Member::new(name, data));
            let line = json!({"path": name, "bytes": data.len(), "sha256": sha256(data)});
            self.edit(|manifest| manifest["files"].as_array_mut().unwrap().push(line));
        }
        let end = self.members.len() - 1;
        self.members[1..end].sort_by_key(Member::name);
        self.edit(|manifest| {
            let files = manifest["files"].as_array_mut().unwrap();
            files.sort_by_key(|file| file["path"].as_str().unwrap().to_string());
        });
    }
}

/// The program of the sound bundle, in the places that cases name.
pub const PROGRAM: &str = "files/program/a.exp";
pub const INPUT: &str = "files/data/x.npy";
pub const RESULT: &str = "results/x.npy";

type Cases = Vec<(String, Vec<u8>)>;

/// Every forged bundle, by name.
pub fn cases(sound: &[u8]) -> Cases {
    let archive = Archive::read(sound);
    [
        names(&archive),
        entries(&archive),
        headers(&archive),
        directory(&archive),
        manifests(&archive),
        claims(&archive),
        edges(&archive, sound),
    ]
    .concat()
}

fn case(all: &mut Cases, archive: &Archive, name: &str, change: impl FnOnce(&mut Archive)) {
    let mut forged = archive.clone();
    change(&mut forged);
    all.push((name.to_string(), forged.bytes()));
}

/// Names of entries that must never become names of files.
fn names(archive: &Archive) -> Cases {
    let mut all = Cases::new();
    let long = format!("files/{}", "x".repeat(300));
    let deep = format!("files/{}x", "d/".repeat(40));
    let odd: [(&str, &str); 17] = [
        ("up", "../x.npy"),
        ("up within", "files/../../x.npy"),
        ("absolute", "/etc/cron.d/x"),
        ("drive letter", "C:/x.npy"),
        ("backslash", "files\\..\\x.npy"),
        ("empty", ""),
        ("dot", "files/./x.npy"),
        ("empty part", "files//x.npy"),
        ("folder", "files/data/"),
        ("line feed", "files/a\nb"),
        ("nul", "files/a\0b"),
        ("turned text", "files/a\u{202e}b"),
        ("device", "files/nul.npy"),
        ("dot at the end", "files/x.npy."),
        ("question mark", "files/x?.npy"),
        ("long", &long),
        ("deep", &deep),
    ];
    for (what, name) in odd {
        case(&mut all, archive, &format!("name: {what}"), |forged| {
            forged.members[1].both(|head| head.name = name.as_bytes().to_vec());
        });
        // The manifest agrees with the name: it is refused before any entry is looked at.
        case(&mut all, archive, &format!("listed name: {what}"), |forged| {
            forged.edit(|manifest| manifest["files"][0]["path"] = json!(name));
        });
    }
    case(&mut all, archive, "name: not UTF-8", |forged| forged.members[1].both(|head| head.name = vec![0xff, 0xfe]));
    all
}

/// Entries that are not those of the manifest.
fn entries(archive: &Archive) -> Cases {
    let mut all = Cases::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Archive)| case(&mut all, archive, name, change);
    let last = archive.members.len() - 1;
    add("entry: missing", &|forged| {
        forged.members.remove(2);
        forged.listed.pop();
    });
    add("entry: all missing", &|forged| {
        forged.members.truncate(1);
        forged.listed.truncate(1);
    });
    add("entry: one too many", &|forged| forged.insert(last, Member::new("files/zz.npy", b"more")));
    add("entry: one after the last", &|forged| forged.insert(last + 1, Member::new("files/zz.npy", b"more")));
    add("entry: twice", &|forged| forged.insert(2, forged.members[1].clone()));
    add("entry: in another order", &|forged| forged.members.swap(1, 2));
    add("entry: manifest not first", &|forged| forged.members.swap(0, 1));
    add("entry: no manifest", &|forged| {
        forged.members.remove(0);
        forged.listed.pop();
    });
    add("entry: manifest twice", &|forged| forged.insert(1, forged.members[0].clone()));
    add("entry: changed program", &|forged| {
        let number = forged.find(PROGRAM);
        let mut text = forged.members[number].data.clone();
        text[3] ^= 1;
        forged.set(number, &text);
    });
    add("entry: changed input", &|forged| {
        let number = forged.find(INPUT);
        let mut data = forged.members[number].data.clone();
        *data.last_mut().unwrap() ^= 1;
        forged.set(number, &data);
    });
    add("entry: damaged", &|forged| *forged.members[1].data.last_mut().unwrap() ^= 1);
    add("entry: damaged manifest", &|forged| forged.members[0].data[3] ^= 1);
    add("entry: longer", &|forged| {
        let longer = [&forged.members[1].data[..], b"more"].concat();
        forged.set(1, &longer);
    });
    add("entry: conditions missing", &|forged| {
        forged.members.pop();
        forged.listed.pop();
    });
    add("entry: conditions of no use", &|forged| forged.set(last, b"{\"threads\": -1}"));
    add("entry: conditions with an escape", &|forged| {
        let text = String::from_utf8(forged.members[last].data.clone()).unwrap();
        forged.set(last, text.replace("\"kernel\": \"", "\"kernel\": \"\\u001b[2J").as_bytes());
    });
    add("entry: conditions too long", &|forged| forged.set(last, &vec![b' '; 100_000]));
    all
}

/// Headers of forms that a bundle never has.
fn headers(archive: &Archive) -> Cases {
    let mut all = Cases::new();
    let changes: [(&str, fn(&mut Head)); 10] = [
        ("encrypted", |head| head.flags |= 1),
        ("length after the bytes", |head| head.flags |= 8),
        ("other flags", |head| head.flags = 0),
        ("deflated", |head| head.method = 8),
        ("unknown method", |head| head.method = 99),
        ("a bomb by ratio", |head| head.size = 1 << 30),
        ("64-bit lengths", |head| (head.size, head.packed) = (u32::MAX, u32::MAX)),
        ("extra fields", |head| head.extra = b"\x55\x54\x05\0\x01\0\0\0\0".to_vec()),
        ("a time", |head| head.time = 0x6000),
        ("another version", |head| head.version = 45),
    ];
    for (what, change) in changes {
        case(&mut all, archive, &format!("header: {what}"), |forged| forged.members[1].both(change));
    }
    case(&mut all, archive, "header: a gigabyte that is not there", |forged| {
        forged.edit(|manifest| manifest["files"][0]["bytes"] = json!(1u64 << 30));
        forged.edit(|manifest| manifest["inputs"][0]["bytes"] = json!(1u64 << 30));
        forged.members[1].both(|head| (head.size, head.packed) = (1 << 30, 1 << 30));
    });
    case(&mut all, archive, "header: a length beyond the next entry", |forged| {
        forged.members[1].both(|head| (head.size, head.packed) = (head.size + 40, head.packed + 40));
    });
    case(&mut all, archive, "header: a gap before it", |forged| forged.members[1].gap = b"hidden".to_vec());
    all
}

/// Directories that disagree with what they list.
fn directory(archive: &Archive) -> Cases {
    let mut all = Cases::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Archive)| case(&mut all, archive, name, change);
    add("directory: a link", &|forged| forged.members[1].rights = 0o120_777 << 16);
    add("directory: a device", &|forged| forged.members[1].rights = 0o020_644 << 16);
    add("directory: a folder", &|forged| forged.members[1].rights = 0o040_755 << 16 | 0x10);
    add("directory: a program to execute", &|forged| forged.members[1].rights = 0o104_755 << 16);
    add("directory: another name", &|forged| forged.members[1].central.name = b"files/data/y.npy".to_vec());
    add("directory: a longer name", &|forged| forged.members[1].central.name = b"../../../../home/x".to_vec());
    add("directory: another length", &|forged| forged.members[1].central.size += 1);
    add("directory: another checksum", &|forged| forged.members[1].central.crc ^= 1);
    add("directory: another method", &|forged| forged.members[1].central.method = 8);
    add("directory: encrypted", &|forged| forged.members[1].central.flags |= 1);
    add("directory: overlapping entries", &|forged| forged.members[2].place = Some(0));
    add("directory: a comment of an entry", &|forged| forged.members[1].comment = b"hello".to_vec());
    add("directory: an entry less", &|forged| {
        forged.listed.pop();
    });
    add("directory: an entry twice", &|forged| forged.listed.push(1));
    add("directory: another order", &|forged| forged.listed.swap(1, 2));
    add("end: a comment", &|forged| forged.comment = b"hello".to_vec());
    add("end: bytes after it", &|forged| forged.after = b"more".to_vec());
    add("end: another archive after it", &|forged| forged.after = forged.bytes());
    add("end: several disks", &|forged| forged.disk = 1);
    add("end: another count", &|forged| forged.count = Some(1));
    add("begin: something before it", &|forged| forged.before = b"#!/bin/sh\n".to_vec());
    all
}

/// Manifests that are no manifest.
fn manifests(archive: &Archive) -> Cases {
    let mut all = Cases::new();
    let text = String::from_utf8(archive.members[0].data.clone()).unwrap();
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = text.replacen("null", &nested, 1);
    let texts: [(&str, Vec<u8>); 13] = [
        ("another form", text.replacen("\"locus_bundle\": 1", "\"locus_bundle\": 2", 1).into()),
        ("no form", text.replacen("locus_bundle", "bundle", 1).into()),
        ("an unknown field", text.replacen("\"locus\":", "\"run_this\": \"x\",\n  \"locus\":", 1).into()),
        ("a field less", text.replacen("  \"library\"", "  \"librari\"", 1).into()),
        ("a field twice", text.replacen("  \"locus\":", "  \"locus\": \"9\",\n  \"locus\":", 1).into()),
        ("another way to write it", text.replacen("{\n", "{ \n", 1).into()),
        ("not JSON", b"PK is not JSON".to_vec()),
        ("no object", b"[]\n".to_vec()),
        ("empty", Vec::new()),
        ("not UTF-8", text.replacen("demo", "d\u{1}mo", 1).bytes().map(|b| if b == 1 { 0xff } else { b }).collect()),
        ("deep", deep.into()),
        ("huge", vec![b' '; 5 << 20]),
        ("a negative length", text.replacen("\"bytes\": ", "\"bytes\": -", 1).into()),
    ];
    for (what, text) in texts {
        assert_ne!(text, archive.members[0].data, "{what}");
        case(&mut all, archive, &format!("manifest: {what}"), |forged| forged.set(0, &text));
    }
    all
}

/// Manifests that contradict themselves or the entries.
fn claims(archive: &Archive) -> Cases {
    let mut all = Cases::new();
    let mut edit =
        |name: &str, change: &dyn Fn(&mut Value)| case(&mut all, archive, name, |forged| forged.edit(change));
    let none = "0".repeat(64);
    edit("claim: another sha256", &|manifest| {
        manifest["files"][0]["sha256"] = json!(none);
        manifest["inputs"][0]["sha256"] = json!(none);
    });
    edit("claim: a sha256 that is none", &|manifest| manifest["files"][0]["sha256"] = json!("?"));
    edit("claim: a file less", &|manifest| drop(manifest["files"].as_array_mut().unwrap().remove(0)));
    edit("claim: no files", &|manifest| manifest["files"] = json!([]));
    edit("claim: a file twice", &|manifest| {
        let file = manifest["files"][0].clone();
        manifest["files"].as_array_mut().unwrap().insert(0, file);
    });
    edit("claim: another order", &|manifest| manifest["files"].as_array_mut().unwrap().reverse());
    edit("claim: a program that is not there", &|manifest| manifest["program"]["path"] = json!("files/b.exp"));
    edit("claim: a program that is none", &|manifest| manifest["program"]["path"] = json!(INPUT));
    edit("claim: a program among the results", &|manifest| manifest["program"]["path"] = json!(RESULT));
    edit("claim: a module that is not there", &|manifest| manifest["program"]["modules"][0] = json!("files/b.exp"));
    edit("claim: an input by another hash", &|manifest| manifest["inputs"][0]["sha256"] = json!(none));
    edit("claim: an input of another length", &|manifest| manifest["inputs"][0]["bytes"] = json!(3));
    edit("claim: an input above the files", &|manifest| manifest["inputs"][0]["path"] = json!("../x"));
    edit("claim: an input by other files", &|manifest| manifest["inputs"][0]["files"] = json!([PROGRAM]));
    edit("claim: a folder that is a file", &|manifest| manifest["inputs"][0]["folder"] = json!(true));
    edit("claim: a file that nothing needs", &|manifest| manifest["inputs"] = json!([]));
    edit("claim: a result above the results", &|manifest| manifest["run"]["written"][0]["path"] = json!("../x"));
    edit("claim: two things about a result", &|manifest| manifest["run"]["written"][0]["sha256"] = json!(none));
    edit("claim: words with an escape", &|manifest| manifest["inputs"][0]["about"] = json!("\u{1b}[2J"));
    edit("claim: words that look like a verdict", &|manifest| {
        manifest["inputs"][0]["from"] = json!("shop\na.zip: 9 of 9 hold");
    });
    edit("claim: words without an end", &|manifest| manifest["inputs"][0]["from"] = json!("x".repeat(5000)));
    case(&mut all, archive, "claim: names equal but for case", |forged| {
        forged.add(&[("files/program/A.exp", b"let x = 1\n")]);
    });
    case(&mut all, archive, "claim: a file that is a folder", |forged| {
        forged.add(&[("files/data/x.npy/y", b"1")]);
    });
    case(&mut all, archive, "claim: a file beside all folders", |forged| forged.add(&[("start.sh", b"1")]));
    all
}

/// Files that end, or go on, where none should.
fn edges(archive: &Archive, sound: &[u8]) -> Cases {
    let mut all = Cases::new();
    let first = archive.members[0].data.len();
    let cuts = [2, 20, 40, 43 + first / 2, 43 + first + 10, sound.len() - 100, sound.len() - 22, sound.len() - 1];
    for (number, cut) in cuts.into_iter().enumerate() {
        all.push((format!("cut: {number}"), sound[..cut].to_vec()));
    }
    all.push(("edge: empty".to_string(), Vec::new()));
    all.push(("edge: text".to_string(), b"print(1)\n".to_vec()));
    all.push(("edge: an empty archive".to_string(), sound[sound.len() - 22..].to_vec()));
    case(&mut all, archive, "edge: too many entries", |forged| {
        let last = forged.members.len() - 1;
        let names: Vec<String> = (0..10_000).map(|number| format!("files/n{number:05}.exp")).collect();
        let lines = names.iter().map(|name| json!({"path": name, "bytes": 0, "sha256": sha256(b"")}));
        let mut manifest = forged.manifest();
        let place = manifest["files"].as_array().unwrap().iter().position(|file| file["path"] == PROGRAM).unwrap();
        let files = manifest["files"].as_array_mut().unwrap();
        files.splice(place..place, lines);
        manifest["program"]["modules"].as_array_mut().unwrap().extend(names.iter().map(|name| json!(name)));
        forged.set_manifest(&manifest);
        assert!(place + 1 < last);
        forged.members.splice(place + 1..place + 1, names.iter().map(|name| Member::new(name, b"")));
        forged.listed = (0..forged.members.len()).collect();
    });
    all
}
