//! Programs that work out central differences of their function `loss` by each element of its parameters.
//!
//! The differences are of fourth order with steps of 0.001 and 0.002; in 64 bits they are exact to about 1e-10
//! where the function is smooth.

use super::{Ran, numbers};
use std::fmt::Write;

pub fn binders(shape: &[String], letter: &str) -> String {
    shape.iter().map(|axis| format!("{letter}_{axis} in {axis}")).collect::<Vec<_>>().join(", ")
}

/// The parameters as a record, `moved` by so much.
pub fn record(names: &[&str], moved: &str, by: &str) -> String {
    let field = |name: &&str| if *name == moved { format!("{name}: {name} {by}") } else { format!("{name}: {name}") };
    format!("{{ {} }}", names.iter().map(field).collect::<Vec<_>>().join(", "))
}

/// `g_x`, the gradient, and `d_x`, the differences: a list in the order of the axes, after a 0 of no meaning.
pub fn write_differences(text: &mut String, names: &[&str], name: &str, shape: &[String]) {
    writeln!(text, "fn differences_{name}() {{\n  let mut out = [0.0]").unwrap();
    for axis in shape {
        writeln!(text, "for j_{axis} in {axis} {{").unwrap();
    }
    let here: Vec<String> = shape.iter().map(|axis| format!("int(k_{axis}) == int(j_{axis})")).collect();
    let bump = format!("[{} => 0.001 * float({})]", binders(shape, "k"), here.join(" and "));
    writeln!(text, "  let at = {}", if shape.is_empty() { "0.001" } else { &bump }).unwrap();
    let loss = |by: &str| format!("loss({})", record(names, name, by));
    writeln!(text, "  let far = {} - {}", loss("+ 2.0 * at"), loss("- 2.0 * at")).unwrap();
    writeln!(text, "  let near = {} - {}", loss("+ at"), loss("- at")).unwrap();
    writeln!(text, "  out = push(out, (8.0 * near - far) / 0.012)").unwrap();
    text.push_str(&"}\n".repeat(shape.len()));
    writeln!(text, "  out\n}}\nlet g_{name} = 1.0 * slopes.{name}\nlet d_{name} = differences_{name}()").unwrap();
}

pub fn global(ran: &Ran, name: &str) -> Vec<f64> {
    let mut found = Vec::new();
    match ran.names.iter().position(|other| other == name) {
        Some(place) => numbers(&ran.globals[place], &mut found),
        None => panic!("no global `{name}` among {:?}", ran.names),
    }
    found
}

/// Work on a stack as large as the command's.
pub fn on_a_large_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap();
    thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}
