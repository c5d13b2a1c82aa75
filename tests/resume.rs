//! Exact resume: a training run that is killed, interrupted, or cannot write goes on later and ends with the same bits.
//!
//! The short form is for every change. With `LOCUS_FULL=1`, 50 random moments of a run of at least 60 s, two at a
//! time with one thread each; one line for each kill, and the totals:
//! `LOCUS_FULL=1 cargo test --release --test resume -- --nocapture fifty_random_moments`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A small net with moments, a state, and a projection after each step. The result is written whole.
const SCRIPT: &str = r#"use std.optim: adam
use std.random: normal
use std.io
experiment "resumed" { locus: "0.1", seed: 3 }
axis sample = 4096, din = 64, dout = 32, h = 256
let steps = 1000
let x = normal[sample, din](root, "x")
let w = normal[din, dout](root, "w")
let y = tanh(x @[din] w)
let trained = fit {
  data:  { x: x, y: y }
  over:  sample
  init:  fn(key) => { a: normal[din, h](key, "a") * 0.1, b: normal[h, dout](key, "b") * 0.1 }
  state: { seen: 0, slow: 0.0 }
  loss:  fn(p, b, state, step) => {
    loss: mean[sample, dout]((tanh(b.x @[din] p.a) @[h] p.b - b.y) ^ 2)
    state: { seen: state.seen + size[sample](b.x), slow: 0.9 * state.slow + 0.1 * float(mean[sample, din](b.x)) }
    metrics: { step: step }
  }
  optim: adam(lr: 0.003)
  steps: steps
  batch: 256
  after: fn(p) => { a: clamp(p.a, -2.0, 2.0), b: p.b }
}
io.write_npy("a.npy", trained.a)
io.write_npy("b.npy", trained.b)
"#;

/// A model whose sites are captured in tiles, which are put together in a loop.
const CAPTURE: &str = r#"use std.random: normal
use std.io
experiment "captured" { locus: "0.1", seed: 3 }
let steps = 20_000
axis text = steps, word = 64, token = 50, d = 64, part = 64, depth = 3
let embedding = normal[token, d](root, "embedding")
let weights = normal[depth, d, part](root, "weights")
fn forward(tokens: token[text, word]) -> f32[text, word, d] {
  let mut h = embedding[token: tokens]
  for l in depth {
    site before = h
    h = h + 0.2 * tanh(0.1 * (h @[d] weights[depth: l]))[part -> d]
  }
  h
}
let model = { forward: fn(tokens) => forward(tokens) }
let tokens = expand[word]([t in text => index[token](int(t) * 7919 % 50)])
let seen = capture model(tokens) { x = before[depth: 1], y = before[depth: 2] }
io.write_npy("a.npy", sum64[text](seen.x))
io.write_npy("b.npy", max[text](seen.y))
"#;

/// A folder with the script, its own cache and output.
struct Place {
    folder: tempfile::TempDir,
    steps: u64,
    /// Seconds between checkpoints.
    interval: f64,
    engine: &'static str,
}

impl Place {
    fn new(steps: u64, interval: f64) -> Place {
        Place::of(SCRIPT, steps, interval)
    }

    fn of(script: &str, steps: u64, interval: f64) -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.exp"), script).unwrap();
        Place { folder, steps, interval, engine: "jit" }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self) -> Vec<String> {
        let steps = format!("steps={}", self.steps);
        ["run", "--threads", "1", "--engine", self.engine, "--set", &steps, "a.exp"].map(str::to_string).to_vec()
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env("LOCUS_CACHE", self.path("cache"));
        command.env("LOCUS_CHECKPOINT_SECONDS", self.interval.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
        command.args(self.arguments());
        self.prepared(command).spawn().unwrap()
    }

    /// Runs to the end.
    fn finish(&self) -> Output {
        self.start().wait_with_output().unwrap()
    }

    /// Both results, as one hash.
    fn result(&self) -> String {
        let read = |name: &str| fs::read(self.path(name)).unwrap_or_default();
        let both = [read("out/a.npy"), read("out/b.npy")].concat();
        assert!(!both.is_empty(), "nothing was written");
        blake3::hash(&both).to_string()
    }

    fn record(&self) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(self.path("out/a.run.json")).unwrap()).unwrap()
    }

    /// The checkpoints, newest last: the step, and when it was written.
    fn checkpoints(&self) -> Vec<(u64, SystemTime, PathBuf)> {
        let mut found = Vec::new();
        for item in fs::read_dir(self.path("cache/resume")).into_iter().flatten().flatten() {
            for file in fs::read_dir(item.path()).into_iter().flatten().flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                if let Some((_, step)) = name.split_once('-').filter(|_| !name.starts_with('.')) {
                    let time = file.metadata().unwrap().modified().unwrap();
                    found.push((step.parse().unwrap(), time, file.path()));
                }
            }
        }
        found.sort();
        found
    }
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Numbers in [0, 1) from the clock.
fn chance() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mixed = (now ^ (now >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// A number of steps that takes about `seconds`, and the result of an undisturbed run with the time it took.
fn undisturbed(seconds: f64) -> (u64, String, f64) {
    let timed = |steps: u64| {
        let place = Place::new(steps, 1e6);
        let start = Instant::now();
        let output = place.finish();
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(place.record()["run"]["resumed"].as_array().map(Vec::len), Some(0));
        (place.result(), start.elapsed().as_secs_f64())
    };
    let mut steps = 400;
    loop {
        let (result, took) = timed(steps);
        if took >= seconds {
            return (steps, result, took);
        }
        steps = (steps as f64 * (1.1 * seconds / took.max(0.05)).clamp(1.2, 40.0)) as u64;
    }
}

/// What came of one kill.
struct Killed {
    equal: bool,
    /// The step from which the second run went on.
    from: u64,
    within: bool,
    remembered: usize,
}

/// Kills a run at `moment` seconds and goes on; `None` if it was over before.
fn kill_at(moment: f64, steps: u64, interval: f64, wanted: &str) -> Option<Killed> {
    let place = Place::new(steps, interval);
    let mut child = place.start();
    std::thread::sleep(Duration::from_secs_f64(moment));
    if child.try_wait().unwrap().is_some() {
        return None;
    }
    child.kill().unwrap();
    let killed = SystemTime::now();
    child.wait().unwrap();
    if fs::read_dir(place.path("cache/results")).is_ok_and(|mut kept| kept.next().is_some()) {
        // The training was over, and its result is kept.
        return None;
    }
    let newest = place.checkpoints().last().map(|(step, time, _)| (*step, *time));
    let lost = match newest {
        Some((_, time)) => killed.duration_since(time).unwrap_or_default().as_secs_f64(),
        None => moment,
    };
    let output = place.finish();
    assert!(output.status.success(), "{}", message(&output));
    let run = &place.record()["run"];
    let from = run["resumed"][0]["step"].as_u64().unwrap_or(0);
    assert_eq!(from, newest.map_or(0, |(step, _)| step), "the newest checkpoint is the one that is taken");
    let left = place.checkpoints().len();
    assert_eq!(left, 0, "a run that is over leaves no checkpoints");
    Some(Killed {
        equal: place.result() == wanted,
        from,
        // One interval, and what it takes to start, to end a step and to write.
        within: lost <= interval + 1.0,
        remembered: run["remembered"].as_array().map_or(0, Vec::len),
    })
}

/// Kills `count` runs at random moments, `at_once` at a time.
fn kills(count: usize, at_once: usize, seconds: f64, interval: f64) -> Vec<Killed> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut steps, mut wanted, mut took) = undisturbed(seconds * (cores as f64 / at_once as f64).min(1.0));
    // Runs that share a core take longer, and their length is what counts.
    while at_once > cores && took < seconds {
        let start = Instant::now();
        let side_by_side = || (0..at_once).map(|_| Place::new(steps, 1e6)).collect::<Vec<Place>>();
        std::thread::scope(|scope| {
            side_by_side().into_iter().for_each(|place| {
                scope.spawn(move || place.finish());
            });
        });
        took = start.elapsed().as_secs_f64();
        if took < seconds {
            let place = Place::new((steps as f64 * 1.1 * seconds / took) as u64, 1e6);
            place.finish();
            (steps, wanted) = (place.steps, place.result());
        }
    }
    println!("undisturbed, {at_once} at once: {steps} steps in {took:.1} s, bits {}", &wanted[..16]);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let (moment, killed) = loop {
                let moment = took * (0.02 + 0.93 * chance());
                if let Some(killed) = kill_at(moment, steps, interval, &wanted) {
                    break (moment, killed);
                }
            };
            let mut found = found.lock().unwrap();
            found.push(killed);
            let (number, last) = (found.len(), found.last().unwrap());
            println!(
                "kill {number:2} of {count} at {moment:5.1} s: {}, went on from step {} of {steps}{}{}",
                if last.equal { "equal bits" } else { "OTHER BITS" },
                last.from,
                if last.within { "" } else { ", MORE THAN ONE INTERVAL LOST" },
                if last.remembered == 0 { "" } else { ", READ A REMEMBERED RESULT" },
            );
        }
    };
    std::thread::scope(|scope| {
        (0..at_once).for_each(|_| {
            scope.spawn(work);
        });
    });
    let found = found.into_inner().unwrap();
    let tally = |test: &dyn Fn(&Killed) -> bool| found.iter().filter(|one| test(one)).count();
    println!(
        "{} of {count} with equal bits; {} went on from a step above 0; {} lost at most one interval; {} read a \
         remembered result",
        tally(&|one| one.equal),
        tally(&|one| one.from > 0),
        tally(&|one| one.within),
        tally(&|one| one.remembered > 0),
    );
    found
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let found = kills(6, 1, 2.0, 0.1);
    assert!(found.iter().all(|one| one.equal && one.remembered == 0));
    assert!(found.iter().filter(|one| one.from > 0).count() >= 3);
}

#[test]
fn fifty_random_moments() {
    if std::env::var_os("LOCUS_FULL").is_none() {
        return;
    }
    let at_once = std::env::var("LOCUS_KILLS_AT_ONCE").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let found = kills(50, at_once, 60.0, 5.0);
    assert!(found.iter().all(|one| one.equal && one.remembered == 0));
    assert!(found.iter().filter(|one| one.from > 0 && one.within).count() >= 40);
}

/// Waits until there is a checkpoint.
fn until_checkpoint(place: &Place, child: &mut Child) {
    let start = Instant::now();
    while place.checkpoints().is_empty() {
        assert!(child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn interrupts_write_a_checkpoint_and_say_how_to_go_on() {
    let (steps, wanted, _) = undisturbed(1.5);
    let place = Place::new(steps, 0.05);
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut child = place.start();
        until_checkpoint(&place, &mut child);
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let told = message(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        let (step, ..) = place.checkpoints().last().cloned().unwrap();
        assert!(told.contains(&format!("run again: it goes on from step {step} of {steps}")), "{told}");
    }
    let output = place.finish();
    assert!(output.status.success() && message(&output).contains("goes on from step"), "{}", message(&output));
    assert_eq!(place.result(), wanted);
}

#[test]
fn a_capture_in_tiles_is_gone_on_with() {
    let place = Place::of(CAPTURE, 20_000, 1e6);
    assert!(place.finish().status.success());
    let wanted = place.result();
    let place = Place::of(CAPTURE, 20_000, 0.02);
    let mut child = place.start();
    until_checkpoint(&place, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let output = place.finish();
    let told = message(&output);
    assert!(output.status.success() && told.contains("`seen` goes on from step"), "{told}");
    assert!(!told.contains("no checkpoints") && !told.contains("R099"), "{told}");
    assert_eq!(place.result(), wanted);
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_fresh_runs_read_none() {
    let (steps, wanted, _) = undisturbed(1.5);
    let place = Place { engine: "interp", ..Place::new(steps, 0.05) };
    let mut child = place.start();
    while place.checkpoints().len() < 2 {
        until_checkpoint(&place, &mut child);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let all = place.checkpoints();
    let (newest, older) = (&all[all.len() - 1], &all[all.len() - 2]);
    let mut bytes = fs::read(&newest.2).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest.2, &bytes).unwrap();
    // Machine code goes on where the interpreter stopped.
    let place = Place { engine: "jit", ..place };
    let output = place.finish();
    let told = message(&output);
    assert!(output.status.success() && told.contains("a damaged checkpoint"), "{told}");
    assert_eq!(place.record()["run"]["resumed"][0]["step"].as_u64(), Some(older.0));
    assert_eq!(place.result(), wanted);
    // The result itself is remembered now; a fresh run computes it, from the beginning.
    let mut command = Command::new(env!("CARGO_BIN_EXE_locus"));
    command.args(place.arguments()).arg("--fresh");
    let fresh = place.prepared(command).output().unwrap();
    assert!(fresh.status.success() && !message(&fresh).contains("goes on"), "{}", message(&fresh));
    assert_eq!(place.result(), wanted);
}

#[test]
fn two_processes_at_once_end_with_the_same_bits() {
    let (steps, wanted, _) = undisturbed(1.0);
    let place = Place::new(steps, 0.05);
    let mut first = place.start();
    until_checkpoint(&place, &mut first);
    let second = place.start();
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
        assert_eq!(place.result(), wanted);
    }
}

/// Ends with the right bits and a note where checkpoints cannot be written; no part of one is left.
fn without_room(place: &Place, output: &Output, wanted: &str, words: &str) {
    let told = message(output);
    assert!(output.status.success() && told.contains("no checkpoints of `trained` are kept"), "{told}");
    assert!(told.contains(words), "{told}");
    assert_eq!(place.result(), wanted);
    assert!(place.checkpoints().is_empty());
}

#[test]
fn a_full_disk_costs_the_checkpoints_only() {
    let (steps, wanted, _) = undisturbed(0.5);
    let place = Place::new(steps, 0.05);
    let binary = Path::new(env!("CARGO_BIN_EXE_locus")).display();
    let arguments = place.arguments().join(" ");
    let mut command = Command::new("bash");
    // 96 KiB for each file: less than a checkpoint, more than the results.
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f 96; exec {binary} {arguments}")]);
    let output = place.prepared(command).output().unwrap();
    without_room(&place, &output, &wanted, "no checkpoints");

    let place = Place::new(steps, 0.05);
    fs::create_dir(place.path("cache")).unwrap();
    let mut command = Command::new("unshare");
    let mounted =
        format!("mount -t tmpfs -o size=128k none cache || exit 77; {binary} {arguments}; echo $? > code.txt");
    command.args(["-m", "sh", "-c", &mounted]);
    let output = place.prepared(command).output().unwrap();
    if !place.path("code.txt").exists() {
        eprintln!("not run: this account may not mount a small disk");
        return;
    }
    without_room(&place, &output, &wanted, "the disk is full");
}
