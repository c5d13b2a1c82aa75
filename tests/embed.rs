//! Locus inside another program: data both ways, functions of the host, limits, several sessions at once.

#[path = "embed/data.rs"]
mod data;
#[path = "../examples/embed.rs"]
#[allow(dead_code)]
mod example;
#[path = "embed/functions.rs"]
mod functions;
#[path = "embed/limits.rs"]
mod limits;
#[path = "embed/pages.rs"]
mod pages;
#[path = "embed/several.rs"]
mod several;

use locus::{Engine, Evaluated, Failure, FailureKind, Options, Session, Transcript, Value};

const ENGINES: [Engine; 2] = [Engine::MachineCode, Engine::Interpreter];

fn open() -> Session {
    Session::new().expect("a session opens")
}

/// One session for each engine, with what it says.
fn each_engine() -> Vec<(Session, Transcript)> {
    let open = |engine| {
        let heard = Transcript::default();
        (Options::new().engine(engine).listener(heard.clone()).open().expect("a session opens"), heard)
    };
    ENGINES.into_iter().map(open).collect()
}

/// The value of an expression.
fn value(session: &mut Session, text: &str) -> Value {
    let done: Evaluated = session.evaluate(text).unwrap_or_else(|failure| panic!("{text}\n{failure}"));
    done.value.unwrap_or_else(|| panic!("{text}: no value"))
}

fn number(session: &mut Session, text: &str) -> f64 {
    value(session, text).number().unwrap_or_else(|| panic!("{text}: no number"))
}

/// Runs what must fail, and then shows that the session goes on.
fn refused(session: &mut Session, text: &str, kind: FailureKind, code: &str) -> Failure {
    let failure = session.evaluate(text).expect_err(text);
    assert_eq!((failure.kind, failure.code()), (kind, code), "{text}\n{failure}");
    alive(session);
    failure
}

/// The session computes.
fn alive(session: &mut Session) {
    assert_eq!(number(session, "1.0 + 1.0"), 2.0);
}

#[test]
fn what_crosses_threads_is_send_and_what_is_shared_is_sync() {
    fn both<T: Send + Sync>() {}
    both::<Session>();
    both::<locus::Interrupter>();
    both::<Value>();
    both::<locus::Array>();
    both::<Failure>();
    both::<Transcript>();
    fn send<T: Send>() {}
    send::<locus::Options>();
}
