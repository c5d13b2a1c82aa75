//! Programs made to do harm, each in a process of its own: it reads, writes and holds no more than it may, and ends in
//! time with one clear error.
//!
//! Most lie in `tests/attacks`; their first lines say what they try, which kind they are, what error ends them (`0`: they
//! do no harm and run), the options, and what has to lie beside them. The message stands in a `.txt` beside each
//! (`UPDATE=1` rewrites it). What is too long for a file is made by `common/long.rs`, hostile models by
//! `common/broken.rs`. Each program runs in `program`, beside a folder `outside` with a secret.

// Not all of it is used here.
#[allow(dead_code)]
#[path = "common/broken.rs"]
mod broken;
#[path = "common/long.rs"]
mod long;

use broken::Made;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SECRET: &str = "the-secret-of-the-house";
/// Limits where a program names none.
const MEMORY: &str = "300M";
const TIME: &str = "5s";
/// What a process may take beside its limit: the text of the program, and what the compiler makes of it.
const SPARE_KIB: u64 = 160 << 10;
/// What may go by after the limit of time: a loop that can be gone on with has 5 seconds to end its round.
const SPARE_TIME: Duration = Duration::from_secs(7);
/// Waiting for others on a busy machine is no fault; a process that waits for ever is.
const PATIENCE: Duration = Duration::from_secs(40);
/// Longer messages are read by nobody; a path is shown whole, and may be as long as the program says.
const LONGEST_MESSAGE: usize = 8000;

/// Reads what a file of a model says of itself, and its first tensor.
const READER: &str = "
use std.io: tensor_names, joined

axis element

let names = tensor_names(model)
print(joined(names))
let first = tensor[element](model, nth(names, 0))
print(\"{sum[element](first)}\")
";

/// One program, and what it must come to.
struct Attack {
    name: String,
    kind: String,
    text: Vec<u8>,
    /// The beginning of the code of its error; after `|` another that a slow machine may give.
    expect: String,
    options: Vec<String>,
    prepare: Vec<String>,
    /// Files that lie beside it.
    files: Vec<(String, Vec<u8>)>,
    /// Where its message stands.
    beside: Option<PathBuf>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks")
}

fn written() -> Vec<Attack> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "exp"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Attack {
    let text = fs::read_to_string(path).unwrap();
    let told = |key: &str| {
        let lines = text.lines().take_while(|line| line.starts_with('#'));
        lines.filter_map(|line| line.strip_prefix(&format!("# {key}: "))).map(str::to_string).collect::<Vec<_>>()
    };
    let only = |key: &str| told(key).pop().unwrap_or_else(|| panic!("{}: no {key}", path.display()));
    Attack {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        kind: only("kind"),
        expect: only("expect"),
        options: told("options").iter().flat_map(|line| line.split(' ')).map(str::to_string).collect(),
        prepare: told("prepare"),
        files: Vec::new(),
        beside: Some(path.with_extension("txt")),
        text: text.clone().into_bytes(),
    }
}

fn plain(name: String, kind: &str, text: Vec<u8>, expect: &str) -> Attack {
    let (kind, expect) = (kind.to_string(), expect.to_string());
    Attack { name, kind, text, expect, options: vec![], prepare: vec![], files: vec![], beside: None }
}

fn generated() -> Vec<Attack> {
    let program = |made: long::Made| plain(made.name.replace(' ', "_"), "long and deep", made.text, made.expect);
    long::programs().into_iter().map(program).collect()
}

/// Of the hostile models some of each kind: all of them are read by `broken_files.rs`.
fn models() -> Vec<Attack> {
    const OF_EACH: usize = 6;
    let mut by_kind: BTreeMap<(&str, &str), Vec<broken::Case>> = BTreeMap::new();
    // The first are accidents.
    for case in broken::cases().into_iter().filter(|case| case.must_fail && case.kind != "cut short") {
        by_kind.entry((case.kind, case.of)).or_default().push(case);
    }
    let mut all = Vec::new();
    for ((kind, of), cases) in by_kind {
        let step = cases.len().div_ceil(OF_EACH).max(1);
        for (number, case) in cases.into_iter().enumerate().step_by(step) {
            let opens = if matches!(case.made, Made::Folder(_)) { "folder" } else { "file" };
            let text = format!("input model = {opens}(\"model\")\n{READER}");
            let name = format!("{kind} of {of}, {number}");
            let mut attack = plain(name, "hostile models", text.into_bytes(), "?");
            attack.files = match case.made {
                Made::File(bytes) => vec![("model".to_string(), bytes)],
                Made::Folder(members) => {
                    members.into_iter().map(|(name, bytes)| (format!("model/{name}"), bytes)).collect()
                }
            };
            all.push(attack);
        }
    }
    all
}

/// The rooms of one attack.
struct Scene {
    root: tempfile::TempDir,
}

impl Scene {
    fn new(attack: &Attack) -> Scene {
        let scene = Scene { root: tempfile::tempdir().unwrap() };
        let outside = scene.path("outside");
        fs::create_dir_all(outside.join("deep")).unwrap();
        fs::create_dir(scene.path("program")).unwrap();
        fs::write(outside.join("secret.json"), format!("{{\"password\": \"{SECRET}\"}}")).unwrap();
        fs::write(outside.join("module.exp"), format!("pub fn secret() -> str {{ \"{SECRET}\" }}\n")).unwrap();
        pipe(&outside.join("pipe"));
        let filled = |text: &str| text.replace("OUTSIDE", &outside.display().to_string());
        for line in &attack.prepare {
            let (what, rest) = line.split_once(' ').unwrap();
            let (name, given) = rest.split_once(' ').unwrap_or((rest, ""));
            let place = scene.path("program").join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match what {
                "folder" => fs::create_dir_all(place).unwrap(),
                "link" => symlink(filled(given), place).unwrap(),
                "fifo" => pipe(&place),
                "file" => fs::write(place, filled(given)).unwrap(),
                other => panic!("{}: nothing is prepared by `{other}`", attack.name),
            }
        }
        for (name, bytes) in &attack.files {
            let place = scene.path("program").join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, bytes).unwrap();
        }
        let text = match attack.beside {
            Some(_) => filled(&String::from_utf8_lossy(&attack.text)).into_bytes(),
            None => attack.text.clone(),
        };
        fs::write(scene.program(attack), text).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn program(&self, attack: &Attack) -> PathBuf {
        let name = if attack.beside.is_some() { attack.name.as_str() } else { "attack.exp" };
        self.path("program").join(name)
    }

    fn start(&self, attack: &Attack, more: &[&str]) -> Child {
        let has = |option: &str| attack.options.iter().any(|given| given == option);
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.arg("run").args(&attack.options).args(more);
        for (option, usual) in [("--memory", MEMORY), ("--time", TIME)] {
            if !has(option) {
                command.args([option, usual]);
            }
        }
        let file = |name: &str| fs::File::create(self.path(name)).unwrap();
        command.arg(self.program(attack).file_name().unwrap()).current_dir(self.path("program"));
        command.env("LOCUS_CACHE", self.path("cache")).env("NO_COLOR", "1").env("LOCUS_SECRET", SECRET);
        command.env_remove("LOCUS_STORE").env_remove("LOCUS_CHECK");
        command.stdin(Stdio::null()).stdout(file("said")).stderr(file("told")).spawn().unwrap()
    }
}

fn pipe(place: &Path) {
    assert!(Command::new("mkfifo").arg(place).status().unwrap().success());
}

/// What a process came to.
struct Ended {
    code: Option<i32>,
    wall: Duration,
    processor: Duration,
    peak_kib: u64,
    hung: bool,
}

/// Watches a process to its end. Its peak is asked for again and again: what is gone cannot be asked.
fn watch(mut child: Child) -> Ended {
    let (start, process) = (Instant::now(), child.id());
    let (mut peak_kib, mut processor, mut hung) = (0, Duration::ZERO, false);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ended { code: status.code(), wall: start.elapsed(), processor, peak_kib, hung };
        }
        peak_kib = peak_memory(process).unwrap_or(0).max(peak_kib);
        processor = processor_time(process).unwrap_or_default().max(processor);
        if start.elapsed() > PATIENCE {
            hung = true;
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(4));
    }
}

fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// User and system time, which Linux counts in hundredths of a second here.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

/// Everything below a folder: the contents of files, where links lead, and that the others are there.
fn tree(folder: &Path, skip: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if path == skip {
            continue;
        }
        if kind.is_dir() {
            found.extend(tree(&path, skip));
        }
        let held = match (kind.is_file(), kind.is_symlink()) {
            (true, _) => fs::read(&path).unwrap(),
            (_, true) => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            _ => Vec::new(),
        };
        found.insert(path, held);
    }
    found
}

fn span(text: &str) -> Duration {
    Duration::from_secs_f64(text.trim_end_matches('s').parse().unwrap())
}

/// The message as it is kept: without names of temporary folders, and without numbers that depend on the machine. Where
/// the clock found the program depends on it too.
fn kept(told: &str, scene: &Scene) -> String {
    if told.starts_with("error[R015]: the program takes longer") {
        return told.lines().take(1).map(|line| format!("{line}\n")).collect();
    }
    let text = told.replace(&scene.root.path().display().to_string(), "DIR");
    let memory = text.starts_with("error[R010]");
    let number = |word: &str| word.chars().next().is_some_and(|first| first.is_ascii_digit());
    let process = |word: &str| match word.split_once("/proc/") {
        Some((before, after)) if number(after) => {
            format!("{before}/proc/N{}", after.trim_start_matches(|digit: char| digit.is_ascii_digit()))
        }
        _ => word.to_string(),
    };
    let plain = |word: &str| if memory && number(word) { "N".to_string() } else { process(word) };
    let line = |line: &str| match line.contains('|') {
        true => line.to_string(),
        false => line.split(' ').map(plain).collect::<Vec<_>>().join(" "),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Whether an error is one of those wanted, with the exit code that belongs to it.
fn fits(wanted: &str, code: &str, status: i32) -> bool {
    let usual = if code.starts_with('R') { 1 } else { 2 };
    status == usual && wanted.split('|').any(|wanted| code.starts_with(wanted))
}

/// What a run must never do, whatever it tries.
fn faults(attack: &Attack, scene: &Scene, ended: &Ended, told: &str, more: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut say = |fault: String| faults.push(fault);
    let codes: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("error")).collect();
    let code = codes.first().and_then(|line| line.strip_prefix('[')).and_then(|line| line.split(']').next());
    match (attack.expect.as_str(), ended.code) {
        _ if ended.hung => say(format!("it does not end within {PATIENCE:?}")),
        ("0" | "?", Some(0)) if codes.is_empty() => {}
        ("?", Some(1 | 2)) if code.is_some() => {}
        (wanted, Some(status)) if code.is_some_and(|code| fits(wanted, code, status)) => {}
        (wanted, other) => say(format!("it ends with {other:?} and {code:?}, not with {wanted}")),
    }
    if ["panicked", "internal", "R099", "E099", "does not stop", "RUST_BACKTRACE"]
        .iter()
        .any(|word| told.contains(word))
    {
        say("the message is a fault of our own".to_string());
    }
    let unclear = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{80}'..='\u{9f}');
    if told.chars().any(unclear) || told.len() > LONGEST_MESSAGE && codes.len() < 4 {
        say(format!("the message has {} bytes, or some that move a cursor", told.len()));
    }
    let limit = |option: &str, usual: &str| {
        let given = attack.options.iter().position(|given| given == option);
        given.and_then(|place| attack.options.get(place + 1)).map_or(usual, String::as_str).to_string()
    };
    let memory: u64 = limit("--memory", MEMORY).trim_end_matches('M').parse().unwrap();
    if ended.peak_kib > memory * 1000 + SPARE_KIB {
        say(format!("it takes {} KiB", ended.peak_kib));
    }
    let time = span(&limit("--time", TIME));
    if ended.processor > 2 * time + SPARE_TIME {
        say(format!("it takes {:?} of processor time", ended.processor));
    }
    let said = fs::read(scene.path("said")).unwrap();
    let holds = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    let written = tree(&scene.path("program"), Path::new("")).into_values().chain([said, told.as_bytes().to_vec()]);
    if written.into_iter().any(|bytes| holds(&bytes)) {
        say("it tells the secret".to_string());
    }
    if !more.is_empty() && told.contains("lies outside the folders") {
        say("our own check spoke, not the kernel".to_string());
    }
    faults
}

/// Runs one attack and judges it.
fn judge(attack: &Attack, more: &[&str], update: bool) -> (Ended, Vec<String>) {
    let scene = Scene::new(attack);
    let out = scene.path("program/out");
    let before = |scene: &Scene| (tree(&scene.path("outside"), Path::new("")), tree(&scene.path("program"), &out));
    let (outside, inside) = before(&scene);
    let ended = watch(scene.start(attack, more));
    let told = String::from_utf8_lossy(&fs::read(scene.path("told")).unwrap()).into_owned();
    let mut faults = faults(attack, &scene, &ended, &told, more);
    let (outside_after, inside_after) = before(&scene);
    if outside != outside_after {
        faults.push("something outside has changed".to_string());
    }
    // The person may give another output folder, a link say.
    if inside != inside_after && !attack.options.iter().any(|option| option == "--write") {
        faults.push("something beside the output folder has changed".to_string());
    }
    if tree(&out, Path::new("")).keys().any(|path| path.display().to_string().ends_with(".part")) {
        faults.push("a part of a file was left".to_string());
    }
    if let (Some(beside), true) = (&attack.beside, more.is_empty()) {
        let found = kept(&told, &scene);
        // On a slow machine the clock may speak first.
        let usual = attack.expect.split('|').next().unwrap_or_default();
        let slow = attack.expect != usual && found.starts_with("error[R015]");
        if update && !slow {
            fs::write(beside, &found).unwrap();
        }
        if !slow && fs::read_to_string(beside).unwrap_or_default() != found {
            faults.push("the message differs from the one beside it".to_string());
        }
    }
    let faults =
        faults.into_iter().map(|fault| format!("{} {}: {fault}\n{}", attack.name, more.join(" "), shortened(&told)));
    (ended, faults.collect())
}

fn shortened(told: &str) -> String {
    told.chars().take(600).collect()
}

/// What the attacks of one kind came to.
#[derive(Default)]
struct Row {
    number: usize,
    slowest: Duration,
    largest: u64,
}

#[test]
fn no_attack_reads_writes_or_holds_what_it_should_not() {
    let update = std::env::var_os("UPDATE").is_some();
    let only = std::env::var("ATTACK").unwrap_or_default();
    let mut attacks: Vec<Attack> = written();
    // Some of them keep the parser busy for seconds.
    if std::env::var_os("LOCUS_FULL").is_some() {
        attacks.extend(generated());
    }
    attacks.extend(models());
    attacks.retain(|attack| attack.name.contains(&only) || attack.kind.contains(&only));
    let alone = ["--kernel-alone"];
    let mut runs: Vec<(&Attack, &[&str])> = attacks.iter().map(|attack| (attack, &[][..])).collect();
    if kernel_holds_files() {
        let paths = attacks.iter().filter(|attack| attack.kind == "paths");
        runs.extend(paths.map(|attack| (attack, &alone[..])));
    }
    let next = AtomicUsize::new(0);
    let (table, found) = (Mutex::new(BTreeMap::<String, Row>::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(&(attack, more)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (ended, faults) = judge(attack, more, update);
            found.lock().unwrap().extend(faults);
            let mut table = table.lock().unwrap();
            let kind = if more.is_empty() { attack.kind.clone() } else { format!("{}, kernel alone", attack.kind) };
            let row = table.entry(kind).or_default();
            row.number += 1;
            row.slowest = row.slowest.max(ended.wall);
            row.largest = row.largest.max(ended.peak_kib);
        }
    };
    std::thread::scope(|scope| {
        (0..2).for_each(|_| drop(scope.spawn(work)));
    });
    println!("{:<24} {:>7} {:>9} {:>9}", "kind", "number", "slowest", "largest");
    for (kind, row) in table.into_inner().unwrap() {
        println!("{kind:<24} {:>7} {:>8.1}s {:>8}M", row.number, row.slowest.as_secs_f64(), row.largest / 1024);
    }
    let mut faults = found.into_inner().unwrap();
    faults.sort();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert!(!only.is_empty() || runs.len() >= 120, "only {} attacks", runs.len());
}

/// Whether this kernel can refuse files; `locus info` says so.
fn kernel_holds_files() -> bool {
    let told = Command::new(env!("CARGO_BIN_EXE_locus")).arg("info").output().unwrap();
    String::from_utf8_lossy(&told.stdout).contains("Landlock)")
        || String::from_utf8_lossy(&told.stdout).contains("(Landlock, seccomp)")
}
