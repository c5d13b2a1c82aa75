//! A program that asks Locus a question about its own data: `cargo run --release --example embed`.
//!
//! The host has measurements of 40 days and 24 hours. It gives them to a session as an array with axis names, gives the
//! session a function of its own, asks how much of the variance the hour explains, and takes the results back.

use std::error::Error;
use std::time::Duration;

use locus::{Array, FailureKind, NumericClass, Options, Session, Transcript, Value};
use ndarray::{Array1, Array2};

fn main() -> Result<(), Box<dyn Error>> {
    ask(&mut |line| println!("{line}"))
}

/// All of it, line by line.
pub fn ask(say: &mut dyn FnMut(String)) -> Result<(), Box<dyn Error>> {
    // Equal bits are promised for equal numeric classes. A library does not restart its host to choose the kernels of the
    // BLAS, as the command does, so it says what is in force.
    let class = NumericClass::here();
    say(format!("kernel {}, as the command: {}", class.kernel, class.is_the_commands()));

    let heard = Transcript::default();
    let mut session = Options::new().memory(256 << 20).time(Duration::from_secs(20)).listener(heard.clone()).open()?;

    // An array in standard order is taken over as it is: nothing is copied.
    let seen: Array2<f32> = measurements();
    session.set("seen", Array::new(seen, &["day", "hour"])?)?;
    session.set("width", 5)?;

    // The checker knows this signature: a call with other axes is refused before anything runs.
    session.register_pure("fn smooth(x: f64[hour], width: int) -> f64[hour]", |args| {
        let (x, width) = (args.array(0)?, args.int(1)?);
        if width < 1 || width % 2 == 0 {
            return Err(format!("a window of {width} has no middle").into());
        }
        let x = x.view::<f64>(&["hour"])?;
        let (hours, reach) = (x.len() as i64, width / 2);
        let near = |hour: i64| (-reach..=reach).map(move |step| (hour + step).rem_euclid(hours) as usize);
        let mean: Array1<f64> =
            (0..hours).map(|hour| near(hour).map(|place| x[place]).sum::<f64>() / width as f64).collect();
        Ok(Array::new(mean, &["hour"])?.into())
    })?;

    session.evaluate(QUESTION)?;

    for line in heard.take_lines() {
        say(format!("program: {line}"));
    }
    for bound in session.names()? {
        say(format!("{}: {}", bound.name, bound.type_shown));
    }

    // An array shares its elements with the session; a view copies nothing, and stays valid when the session is gone.
    let profile = session.get("profile")?;
    let share = session.get("share")?.number().unwrap_or(f64::NAN);
    let held = heard.take_expectations().iter().all(|line| line.held);
    failures(&mut session, say)?;
    drop(session);
    if let Value::Array(profile) = &profile {
        let view = profile.view::<f64>(&["hour"])?;
        say(format!("{profile:?}: {:.3} at 6, {:.3} at 18", view[6], view[18]));
    }
    say(format!("the hour explains {:.1} % of the variance; expectations hold: {held}", 100.0 * share));
    Ok(())
}

const QUESTION: &str = r#"
use host: smooth
use std.posdecomp

let profile = smooth(f64(mean[day](seen)), width)
let share = posdecomp.blocked[day, hour](seen).pve
print("highest at hour {argmax[hour](profile)}")

expect {
  share ~ 0.667 +- 0.060
}
"#;

/// Whatever goes wrong comes back as data, and the session goes on.
fn failures(session: &mut Session, say: &mut dyn FnMut(String)) -> Result<(), Box<dyn Error>> {
    // The function refuses its argument: a diagnostic at the call.
    let failure = session.evaluate("smooth(profile, 4)").expect_err("4 has no middle");
    let place = failure.diagnostics[0].primary.as_ref().map(|label| (label.place.line, label.place.column));
    say(format!("{} at {place:?}: {}", failure.code(), failure.message()));

    // A wrong axis does not check: nothing ran.
    let failure = session.evaluate("smooth(f64(mean[hour](seen)), 3)").expect_err("the axis is day");
    assert_eq!(failure.kind, FailureKind::Refused);

    // A loop without an end is stopped from another thread.
    let interrupter = session.interrupter();
    let stopper = std::thread::spawn(move || {
        while !interrupter.interrupt() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let failure = session.evaluate("let mut n = 0\nwhile n >= 0 { n = (n + 1) % 7 }").expect_err("it has no end");
    say(failure.message().to_string());
    stopper.join().expect("the thread only waits");

    assert_eq!(session.evaluate("1 + 1")?.value.and_then(|two| two.int()), Some(2));
    Ok(())
}

/// A wave with noise: 40 days of 24 hours. Var(wave) = 1/2 and Var(noise) = 1/4.
fn measurements() -> Array2<f32> {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f32 / (1u64 << 31) as f32
    };
    Array2::from_shape_fn((40, 24), |(_, hour)| {
        let wave = (std::f32::consts::TAU * hour as f32 / 24.0).sin();
        // Twelve uniform numbers make a nearly normal one.
        let noise: f32 = (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
        wave + 0.5 * noise
    })
}
