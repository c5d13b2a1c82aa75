//! Functions of the host: called from everywhere, in both engines; whatever they do, the session goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::{ENGINES, alive, each_engine, number, open, refused, value};
use locus::{Array, FailureKind, HostResult, Options, Session, Value};
use ndarray::{Array1, Array2};

/// `x` with 1 added, as an array of the axis `pos`.
fn one_more(args: &locus::Arguments) -> HostResult {
    let x = args.array(0)?.view::<f32>(&["pos"])?;
    Ok(Array::new(x.mapv(|x| x + 1.0), &["pos"])?.into())
}

fn with(signature: &str, function: impl FnMut(&locus::Arguments) -> HostResult + Send + 'static) -> Session {
    let mut session = open();
    session.register(signature, function).unwrap_or_else(|failure| panic!("{failure}"));
    session
}

#[test]
fn functions_are_called_in_loops_functions_and_branches_by_both_engines() {
    for (mut session, heard) in each_engine() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        let counted = move |args: &locus::Arguments| {
            count.fetch_add(1, Ordering::Relaxed);
            one_more(args)
        };
        session.register("fn more(x: f32[pos]) -> f32[pos]", counted).unwrap();
        session
            .register("fn twice(n: int, by: float = 2.0) -> float", |a| Ok((a.int(0)? as f64 * a.number(1)?).into()))
            .unwrap();
        session
            .register("fn tell(text: str, yes: bool)", |args| {
                assert!(args.bool(1)?, "it is");
                args.text(0)?;
                Ok(Value::Nothing)
            })
            .unwrap();
        session.set("x", Array::new(Array1::from_vec(vec![1f32, 2.0, 3.0]), &["pos"]).unwrap()).unwrap();
        let text = r#"
use host
use host: more
fn grown(x: f32[pos], rounds: int) -> f32[pos] {
  let mut y = x
  for i in 0..rounds { y = more(y) }
  y
}
fn down(n: int) -> float { if n == 0 { 0.0 } else { host.twice(1) + down(n - 1) } }
let y = grown(x, 4)
let z = if total(y) > 100.0 { more(x) } else { more(more(x)) }
host.tell("a", true)
print("{total(y)} {total(z)} {host.twice(3, by: 0.5)} {down(5)}")
"#;
        session.evaluate(text).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(heard.take_lines(), ["18.0 12.0 1.5 10.0"]);
        assert_eq!(calls.load(Ordering::Relaxed), 6, "a call is made as often as the program says");
        // A call whose result nobody reads is made, too.
        session.evaluate("let unread = more(x)\nmore(x)").unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 8);
        alive(&mut session);
    }
}

#[test]
fn generic_signatures_lists_and_stated_lengths() {
    for (mut session, _) in each_engine() {
        let last = |args: &locus::Arguments| {
            let x = args.array(0)?;
            let axes: Vec<String> = x.axes().into_iter().map(|(name, _)| name).collect();
            let rest: Vec<&str> = axes.iter().map(String::as_str).filter(|name| *name != "pos").collect();
            let order: Vec<&str> = rest.iter().copied().chain(["pos"]).collect();
            let view = x.view::<f32>(&order)?;
            let end = view.index_axis(ndarray::Axis(rest.len()), view.shape()[rest.len()] - 1).to_owned();
            Ok(Array::new(end, &rest)?.into())
        };
        session.register_pure("fn last<r>(x: f32[pos, ..r]) -> f32[..r]", last).unwrap();
        session
            .register("fn words(n: int) -> list<str>", |args| {
                Ok(Value::List((0..args.int(0)?).map(|n| format!("w{n}").into()).collect()))
            })
            .unwrap();
        session
            .register("fn joined(words: list<str>) -> str", |args| {
                let words: Vec<&str> = args.list(0)?.iter().filter_map(Value::text).collect();
                Ok(words.concat().into())
            })
            .unwrap();
        session
            .register("fn weights(n: int) -> f32[wide]", |args| {
                Ok(Array::new(Array1::<f32>::ones(args.int(0)? as usize), &["wide"])?.into())
            })
            .unwrap();
        let x = Array2::from_shape_fn((3, 2), |(i, j)| (10 * i + j) as f32);
        session.set("x", Array::new(x, &["pos", "col"]).unwrap()).unwrap();
        session.evaluate("use host: last, words, joined, weights").unwrap();
        assert_eq!(number(&mut session, "total(last(x))"), 41.0);
        assert_eq!(value(&mut session, "joined(words(3))").text(), Some("w0w1w2"));
        assert_eq!(number(&mut session, "total(weights(5))"), 5.0);
        session.evaluate("axis wide = 4").unwrap();
        assert_eq!(number(&mut session, "total(weights(4))"), 4.0);
        refused(&mut session, "weights(5)", FailureKind::Failed, "R003");
        let failure = session.evaluate("last(f32([c in wide => 1.0]))").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.to_string().contains("pos"), "{failure}");
    }
}

#[test]
fn a_wrong_call_does_not_check() {
    let mut session = with("fn more(x: f32[pos]) -> f32[pos]", one_more);
    session.set("x", Array::new(Array1::<f32>::ones(3), &["col"]).unwrap()).unwrap();
    session.evaluate("use host: more").unwrap();
    let failure = session.evaluate("let y = 1\nlet z = more(x)").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    let place = &failure.diagnostics[0].primary.as_ref().unwrap().place;
    assert_eq!((place.line, place.column > 8, place.file.as_str()), (2, true, "<text 2>"));
    assert!(session.get("y").is_err(), "nothing of it ran");
    for text in ["more()", "more(x, x)", "more(1)", "more(\"a\")", "nothing(x)", "host.more(x)"] {
        assert_eq!(session.evaluate(text).unwrap_err().kind, FailureKind::Refused, "{text}");
    }
    alive(&mut session);
}

#[test]
fn whatever_a_function_does_wrong_is_a_diagnostic_at_the_call() {
    type Wrong = fn(&locus::Arguments) -> HostResult;
    let cases: [(&str, Wrong, &str, &str); 9] = [
        ("an error", |_| Err("the disk is on fire".into()), "R007", "the host's `f` failed: the disk is on fire"),
        ("a panic", |_| panic!("at the {}", "disco"), "R007", "the host's `f` panicked: at the disco"),
        ("a strange panic", |_| std::panic::panic_any(7u8), "R007", "panicked: no reason given"),
        ("a wrong shape", |_| Ok(Array::new(Array1::<f32>::ones(4), &["pos"])?.into()), "R003", "two lengths"),
        (
            "a wrong axis",
            |_| Ok(Array::new(Array1::<f32>::ones(3), &["row"])?.into()),
            "R007",
            "gave f32[row], and its signature says f32[pos]",
        ),
        (
            "too many axes",
            |_| Ok(Array::new(Array2::<f32>::ones((3, 1)), &["pos", "row"])?.into()),
            "R007",
            "gave f32[pos, row]",
        ),
        ("a wrong element", |_| Ok(Array::new(Array1::<f64>::ones(3), &["pos"])?.into()), "R007", "gave f64[pos]"),
        ("a number", |_| Ok(1.0.into()), "R007", "gave float"),
        ("nothing", |_| Ok(Value::Nothing), "R007", "gave nothing"),
    ];
    for engine in ENGINES {
        for (what, function, code, words) in cases {
            let mut session = Options::new().engine(engine).open().unwrap();
            session.register("fn f(x: f32[pos]) -> f32[pos]", function).unwrap();
            session.set("x", Array::new(Array1::<f32>::ones(3), &["pos"]).unwrap()).unwrap();
            session.evaluate("use host: f\nlet kept = 3").unwrap();
            let text = "let kept = 4\nlet other = 1\nfor i in 0..3 {\n  let y = f(x)\n}";
            let failure = refused(&mut session, text, FailureKind::Failed, code);
            assert!(failure.message().contains(words) || failure.to_string().contains(words), "{what}\n{failure}");
            let place = &failure.diagnostics[0].primary.as_ref().unwrap().place;
            assert_eq!(place.line, 4, "{what}\n{failure}");
            assert_eq!(
                session.get("kept").unwrap().int(),
                Some(3),
                "{what}: a text that fails leaves names as they were"
            );
            assert!(session.get("other").is_err());
            // The array that it was given was not harmed.
            assert_eq!(number(&mut session, "total(x)"), 3.0);
        }
    }
}

#[test]
fn nan_passes_unless_it_is_looked_for() {
    for engine in ENGINES {
        for check in [false, true] {
            let mut session = Options::new().engine(engine).check_finite(check).open().unwrap();
            session
                .register("fn f(x: f32[pos]) -> f32[pos]", |args| {
                    let len = args.array(0)?.len();
                    Ok(Array::new(Array1::from_elem(len, f32::NAN), &["pos"])?.into())
                })
                .unwrap();
            session.set("x", Array::new(Array1::<f32>::ones(3), &["pos"]).unwrap()).unwrap();
            let outcome = session.evaluate("use host: f\ntotal(f(x))");
            match check {
                false => assert!(outcome.unwrap().value.unwrap().number().unwrap().is_nan()),
                true => assert_eq!(outcome.unwrap_err().code(), "R006"),
            }
            alive(&mut session);
        }
    }
}

#[test]
fn what_may_do_anything_stays_where_it_is_and_what_is_pure_may_move() {
    for (mut session, _) in each_engine() {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut add = |name: &str, pure: bool| {
            let count = calls.clone();
            let signature = format!("fn {name}(x: float) -> float");
            let function = move |args: &locus::Arguments| -> HostResult {
                Ok((args.number(0)? + count.fetch_add(1, Ordering::Relaxed) as f64).into())
            };
            match pure {
                true => session.register_pure(&signature, function).unwrap(),
                false => session.register(&signature, function).unwrap(),
            }
        };
        add("counted", false);
        add("pure", true);
        session.evaluate("use host: counted, pure").unwrap();
        // Two calls with equal arguments are two calls.
        assert_eq!(number(&mut session, "counted(1.0) - counted(1.0)"), -1.0);
        calls.store(0, Ordering::Relaxed);
        session.evaluate("let a = 3.0\nlet unread = counted(a)").unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        // In formulas and gradients only what is pure.
        session.evaluate("axis pos = 4").unwrap();
        let failure = refused(&mut session, "[i in pos => counted(1.0)]", FailureKind::Refused, "E040");
        assert!(failure.message().contains("function of the host"), "{failure}");
        value(&mut session, "[i in pos => pure(float(int(i)))]");
        let loss = |f: &str| format!("grad(fn(p) => p.w * p.w + stop({f}(1.0)))({{ w: 3.0 }}).w");
        refused(&mut session, &loss("counted"), FailureKind::Refused, "E040");
        assert_eq!(number(&mut session, &loss("pure")), 6.0);
        // There is no derivative of what nobody knows.
        let failure = session.evaluate("grad(fn(p) => pure(p.w))({ w: 3.0 }).w").unwrap_err();
        assert_eq!(failure.code(), "E060", "{failure}");
    }
}

#[test]
fn what_is_kept_as_entries_or_in_tiles_arrives_whole() {
    for (mut session, _) in each_engine() {
        session
            .register_pure("fn largest<r>(x: f32[..r]) -> f32", |args| {
                let x = args.array(0)?;
                let names: Vec<String> = x.axes().into_iter().map(|(name, _)| name).collect();
                let order: Vec<&str> = names.iter().map(String::as_str).collect();
                Ok(x.view::<f32>(&order)?.iter().copied().fold(f32::MIN, f32::max).into())
            })
            .unwrap();
        let x = Array2::from_shape_fn((40, 500), |(i, j)| ((i * 7 + j * 13) % 911) as f32);
        session.set("x", Array::new(x.clone(), &["row", "col"]).unwrap()).unwrap();
        session.evaluate("use host: largest\nlet kept = keep_top[col](x, 3)").unwrap();
        let largest = x.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(number(&mut session, "largest(kept)"), f64::from(largest));
        let kept = session.get("kept").unwrap();
        let kept = kept.array().unwrap().to_array::<f32>(&["row", "col"]).unwrap();
        assert_eq!(kept.iter().filter(|x| **x != 0.0).count(), 120);
    }
}

#[test]
fn signatures_that_make_no_sense_are_refused() {
    let mut session = open();
    let never = |_: &locus::Arguments| -> HostResult { Ok(Value::Nothing) };
    for signature in [
        "",
        "fn",
        "fn f",
        "let x = 1",
        "fn f(x: f32[pos]) -> f32[pos] { x }",
        "fn f(x)",
        "fn f(x: nothing) -> float",
        "fn f(x: key) -> float",
        "fn f(x: fn(int) -> int) -> float",
        "fn f(x: float) -> pos[batch]",
        "fn f(x: file)",
        "fn f(x: float) -> { a: int }",
        "fn f(x: float) -> float\nfn g(x: float) -> float",
        "fn f(x: float) -> float\nlet x = 1",
        "fn f(x: float) -> float vjp(y, dy) { x: dy }",
        "fn f(x: list<list<int>>)",
    ] {
        let failure = session.register(signature, never).expect_err(signature);
        assert_eq!(failure.kind, FailureKind::Usage, "{signature}\n{failure}");
    }
    assert!(session.register_pure("fn f(x: float)", never).is_err());
    assert!(session.evaluate("use host: f").is_err(), "nothing was registered");
    alive(&mut session);
}

#[test]
fn a_name_that_is_registered_again_means_the_new_function_afterwards() {
    for (mut session, _) in each_engine() {
        session.register("fn f(x: float) -> float", |args| Ok((args.number(0)? + 1.0).into())).unwrap();
        session.evaluate("use host: f\nfn g(x: float) -> float { if x > 9.0 { x } else { g(f(x) * 10.0) } }").unwrap();
        assert_eq!(number(&mut session, "f(1.0)"), 2.0);
        session.register("fn f(x: int, y: int) -> int", |args| Ok((args.int(0)? * args.int(1)?).into())).unwrap();
        assert_eq!(value(&mut session, "f(6, 7)").int(), Some(42));
        // A function of the program that uses the old one is read again, and no longer fits.
        assert!(session.evaluate("f(1.0)").is_err());
        // A name of the library stays what it is.
        session.register("fn exp(x: float) -> float", |_| Ok((-1.0).into())).unwrap();
        assert_eq!(number(&mut session, "exp(0.0)"), 1.0);
        assert_eq!(number(&mut session, "use host\nhost.exp(0.0)"), -1.0);
    }
}

#[test]
fn two_sessions_have_functions_of_the_same_name_and_one_can_use_the_other() {
    let mut first = with("fn f() -> int", |_| Ok(1.into()));
    let inner = Mutex::new(with("fn f() -> int", |_| Ok(2.into())));
    inner.lock().unwrap().evaluate("use host: f").unwrap();
    first
        .register("fn other() -> int", move |_| {
            Ok(inner.lock().map_err(|_| "poisoned")?.evaluate("f() * 10")?.value.ok_or("no value")?)
        })
        .unwrap();
    first.evaluate("use host: f, other").unwrap();
    assert_eq!(value(&mut first, "f() + other()").int(), Some(21));
    alive(&mut first);
}
