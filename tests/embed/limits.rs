//! Limits of memory, disk, depth and time, interrupts, listeners that panic: a failure each, and a session that goes on.

use std::thread;
use std::time::{Duration, Instant};

use super::{ENGINES, alive, each_engine, number, open, refused, value};
use locus::{Array, FailureKind, Listener, Options, Session, Value};
use ndarray::Array2;

const FOREVER: &str = "let mut n = 0\nwhile n >= 0 { n = (n + 1) % 7 }";

#[test]
fn memory_is_bounded_for_each_session_by_itself() {
    for engine in ENGINES {
        let mut small = Options::new().engine(engine).memory(8 << 20).open().unwrap();
        let mut large = Options::new().engine(engine).memory(64 << 20).open().unwrap();
        let text = "axis big = 3_000_000\nlet x = cumsum[big](ones[big]())";
        refused(&mut small, text, FailureKind::Failed, "R010");
        large.evaluate(text).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(large.memory_in_use() >= 12_000_000 && small.memory_in_use() < 8 << 20);
        // The small one has its own room, whatever the large one takes.
        let text = "axis part = 500_000\nlet y = cumsum[part](ones[part]())";
        small.evaluate(text).unwrap_or_else(|failure| panic!("{failure}"));
        refused(
            &mut small,
            "let a = y + 1.0\nlet b = y + 2.0\nlet c = y + 3.0\nlet d = y + 4.0",
            FailureKind::Failed,
            "R010",
        );
        assert_eq!(number(&mut small, "y[part: 9]"), 10.0);
        let taken = small.get("y").unwrap();
        small.evaluate("let y = 0").unwrap();
        assert!(small.memory_in_use() >= 2_000_000, "what the host holds counts");
        drop(taken);
        assert!(small.memory_in_use() < 1_000_000);
    }
}

#[test]
fn what_a_failed_text_made_is_given_up_and_what_the_host_made_is_not_counted() {
    let mut session = Options::new().memory(8 << 20).open().unwrap();
    session.set("x", Array::new(Array2::<f32>::ones((1000, 1000)), &["row", "col"]).unwrap()).unwrap();
    assert_eq!(number(&mut session, "total(x)"), 1e6);
    let before = session.memory_in_use();
    assert!(before < 1 << 20);
    refused(&mut session, "let a = x + 1.0\nlet b = x + 2.0\nlet c = x + 3.0", FailureKind::Failed, "R010");
    assert!(session.memory_in_use() <= before, "what a failed text made is given up");
}

#[test]
fn calls_that_nest_too_deep_and_loops_without_an_end() {
    for (mut session, _) in each_engine() {
        let text = "fn f(n: int) -> int { if n < 0 { 0 } else { 1 + f(n + 1) } }\nf(0)";
        refused(&mut session, text, FailureKind::Failed, "R012");
        assert!(session.evaluate("f(-1)").is_err(), "what failed is forgotten");
        let interrupter = session.interrupter();
        assert!(!interrupter.interrupt(), "nothing runs");
        let stopper = thread::spawn(move || {
            while !interrupter.interrupt() {
                thread::sleep(Duration::from_millis(2));
            }
        });
        let failure = refused(&mut session, FOREVER, FailureKind::Interrupted, "R013");
        assert_eq!(failure.message(), "stopped by the host");
        stopper.join().unwrap();
    }
}

#[test]
fn time_is_bounded() {
    for engine in ENGINES {
        let mut session = Options::new().engine(engine).time(Duration::from_millis(150)).open().unwrap();
        let start = Instant::now();
        let failure = refused(&mut session, FOREVER, FailureKind::OutOfTime, "R013");
        assert!(failure.message().contains("its time is up"), "{failure}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_function_of_the_host_can_interrupt_its_own_session() {
    let mut session = open();
    let interrupter = session.interrupter();
    session
        .register("fn stop_here()", move |_| {
            interrupter.interrupt();
            Ok(Value::Nothing)
        })
        .unwrap();
    let text = "use host\nfor i in 0..1_000_000_000 { host.stop_here() }";
    refused(&mut session, text, FailureKind::Interrupted, "R013");
}

struct Panics;

impl Listener for Panics {
    fn print(&mut self, text: &str) {
        panic!("cannot hear {text}");
    }
}

#[test]
fn a_listener_that_panics_ends_the_text_and_not_the_session() {
    for engine in ENGINES {
        let mut session = Options::new().engine(engine).listener(Panics).open().unwrap();
        let text = "for i in 0..1_000_000_000 { print(\"you\") }";
        let failure = session.evaluate(text).unwrap_err();
        assert!(failure.message().contains("the host's listener panicked: cannot hear you"), "{failure}");
        alive(&mut session);
    }
}

#[test]
fn files_are_written_below_the_output_folder_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let heard = locus::Transcript::default();
    let mut session = Options::new().output(folder.path().join("out")).listener(heard.clone()).open().unwrap();
    session.evaluate("use std.io\naxis a = 3\nio.write_npy(\"x.npy\", ones[a]())").unwrap_or_else(|f| panic!("{f}"));
    let files = heard.take_files();
    assert_eq!(files.len(), 1);
    assert!(folder.path().join("out/x.npy").is_file());
    refused(&mut session, "io.write_npy(\"../x.npy\", ones[a]())", FailureKind::Failed, "R007");
    let mut without = open();
    refused(&mut without, "use std.io\naxis a = 3\nio.write_npy(\"x.npy\", ones[a]())", FailureKind::Failed, "R008");
}

#[test]
fn what_a_program_says_is_heard() {
    let heard = locus::Transcript::default();
    let mut session: Session = Options::new().listener(heard.clone()).open().unwrap();
    let text = "axis a = 3\nprint(\"one\")\nplot lines { y: ones[a](), x: a, title: \"t\" }\nexpect {\n  1.0 ~ 1.0 +- 0.1\n  2 == 3\n}";
    session.evaluate(text).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(heard.take_lines()[0], "one");
    assert!(heard.take_figures()[0].contains("<svg"));
    let held: Vec<bool> = heard.take_expectations().iter().map(|line| line.held).collect();
    assert_eq!(held, [true, false]);
    assert!(heard.take_lines().is_empty());
}

#[test]
fn overrides_strictness_and_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    std::fs::write(folder.path().join("lib/near.exp"), "let three = 3\n").unwrap();
    std::fs::write(folder.path().join("lib/main.exp"), "use \"near.exp\"\nlet n = 1\nn + near.three\n").unwrap();
    let mut session = Options::new().folder(folder.path()).set("n", "5").open().unwrap();
    let done = session.run_file("lib/main.exp").unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(done.value.and_then(|value| value.int()), Some(8));
    let missing = session.run_file("none.exp").unwrap_err();
    assert_eq!((missing.kind, missing.code()), (FailureKind::Refused, "E043"));
    std::fs::write(folder.path().join("bad.exp"), "let x = \n").unwrap();
    let bad = session.run_file("bad.exp").unwrap_err();
    assert!(bad.diagnostics[0].primary.as_ref().unwrap().place.file.ends_with("bad.exp"));
    alive(&mut session);
}

#[derive(Clone, Default)]
struct Steps(std::sync::Arc<std::sync::Mutex<Vec<locus::Progress>>>);

impl Listener for Steps {
    fn progress(&mut self, progress: &locus::Progress) {
        self.0.lock().unwrap().push(progress.clone());
    }
}

#[test]
fn long_work_tells_how_far_it_came() {
    let steps = Steps::default();
    let mut session = Options::new().listener(steps.clone()).open().unwrap();
    let text = "use std.optim: sgd\naxis sample = 8\nlet x = [i in sample => f32(float(int(i)))]\nfit line {\n  data: { x: x, y: 2.0 * x }\n  \
                over: sample\n  init: fn(key) => { slope: 0.0 }\n  loss: fn(p, b) => mean[sample]((p.slope * b.x - b.y) ^ 2)\n  \
                optim: sgd(lr: 0.01)\n  steps: 20\n  batch: 4\n}";
    session.evaluate(text).unwrap_or_else(|failure| panic!("{failure}"));
    let steps = steps.0.lock().unwrap();
    let last = steps.last().expect("a fit reports");
    assert_eq!((last.done, last.total), (20, 20), "{last:?}");
    assert!(last.value.is_finite() && !last.shown.is_empty());
}

#[test]
fn inputs_lie_where_the_host_allows_and_output_is_bounded() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = other.path().join("secret.json");
    std::fs::write(&place, "{\"n\": 3}").unwrap();
    std::fs::write(
        other.path().join("inside.exp"),
        "use std.io\ninput c = file(\"secret.json\")\nio.json_int(c, \"n\")\n",
    )
    .unwrap();
    let text = format!("use std.io\ninput c = file(\"{}\")\nio.json_int(c, \"n\")", place.display());
    let mut session = Options::new().folder(own.path()).open().unwrap();
    refused(&mut session, &text, FailureKind::Failed, "R008");
    // A file that the host runs reads what lies beside it, and what comes after it does not.
    let ran = session.run_file(other.path().join("inside.exp")).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(ran.value.and_then(|value| value.int()), Some(3));
    let mut allowed = Options::new().folder(own.path()).read(other.path()).open().unwrap();
    assert_eq!(number(&mut allowed, &text), 3.0);
    for engine in ENGINES {
        let mut session = Options::new().engine(engine).max_output(1000).open().unwrap();
        let failure = session.evaluate("for i in 0..1_000_000_000 { print(\"0123456789\") }").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Failed, "{failure}");
        alive(&mut session);
    }
}

/// The kernel holds a fenced session's threads, functions of the host on them included, and nothing else of the host.
#[test]
fn a_fenced_session_is_held_by_the_kernel_and_its_host_is_not() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = other.path().join("secret");
    std::fs::write(&secret, "3").unwrap();
    std::fs::write(own.path().join("near"), "4").unwrap();
    let seen = |fenced: bool, path: std::path::PathBuf| {
        let options = Options::new().folder(own.path()).output(own.path().join("out")).fenced(fenced).threads(2);
        let mut session = options.open().unwrap();
        let read = move |_: &locus::Arguments| {
            std::fs::read_to_string(&path)
                .map_or(Ok(Value::from(-1i64)), |text| Ok(Value::from(text.parse::<i64>().unwrap())))
        };
        session.register("fn peek() -> int", read).unwrap();
        let found = value(&mut session, "use host: peek\npeek()").int().unwrap();
        // What a program needs goes on: the threads of the pool, and files in the output folder.
        assert_eq!(
            number(
                &mut session,
                "use std.io\naxis a = 300\naxis b = 300\naxis c = 300\nlet x = full[a, b](1.0) @[b] full[b, c](1.0)\nio.write_text(\"a.txt\", \"b\")\nsum[a, c](x)"
            ),
            27_000_000.0
        );
        (found, session.enforced().unwrap())
    };
    let (found, enforced) = seen(true, secret.clone());
    assert_eq!(std::fs::read_to_string(own.path().join("out/a.txt")).unwrap(), "b");
    let enforced = enforced.expect("it was asked for");
    // The machines that test this have both; `locus info` tells of one that has not.
    assert!(enforced.files && enforced.calls, "{}", enforced.shown());
    assert_eq!(found, -1);
    assert_eq!(seen(true, own.path().join("near")).0, 4);
    assert_eq!(seen(false, secret.clone()), (3, None));
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "3");
    assert!(std::process::Command::new("true").status().unwrap().success());
}
