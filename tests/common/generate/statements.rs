//! Statements: bindings, loops with carried values, branches, assignments to places, records, prints, captured sites.

use super::types::{Elem, Set, Type, with};
use super::{Generator, Statement};

impl Generator {
    /// All statements of a program.
    pub(super) fn statements(&mut self) -> Vec<Statement> {
        let count = match self.dice.below(10) {
            0..6 => 5 + self.dice.below(8),
            6..9 => 10 + self.dice.below(12),
            _ => 20 + self.dice.below(20),
        };
        (0..count).map(|_| self.statement()).collect()
    }

    fn statement(&mut self) -> Statement {
        match self.dice.below(44) {
            0..19 => self.binding(),
            40..44 => self.procedure(),
            19..22 => self.function(),
            22..24 => self.loop_statement(),
            24 => self.while_statement(),
            25 | 26 => self.branch_statement(),
            27 | 28 => self.assignment(),
            29 | 30 => self.record(),
            31..35 => self.print(),
            35 => self.capture(),
            36 => self.text_value(),
            37 => self.slopes_of_record(),
            38 => self.expectation(),
            _ => self.list_walk(),
        }
    }

    fn done(&mut self, text: String, plain: Option<String>) -> Statement {
        Statement { text, plain, marks: std::mem::take(&mut self.marks) }
    }

    /// The plainest value of a type that needs nothing else.
    fn plain(&self, ty: &Type) -> Option<String> {
        let value = match ty.elem {
            Elem::F32 => "f32(0.5)".to_string(),
            Elem::F64 => "0.5".to_string(),
            Elem::Int => "1".to_string(),
            Elem::Bool => "true".to_string(),
            Elem::Index(of) => format!("index[{}](0)", self.axes.name(of)),
        };
        let sized = ty.axes.iter().all(|&axis| self.axes.0[axis].sized);
        match ty.axes.is_empty() {
            true => Some(value),
            false => sized.then(|| format!("full[{}]({value})", self.axes.list(&ty.axes))),
        }
    }

    fn depth(&mut self) -> usize {
        self.dice.pick(&[1, 2, 2, 3, 3, 4])
    }

    fn binding(&mut self) -> Statement {
        let (ty, depth, name) = (self.some_type(), self.depth(), self.fresh("x"));
        let made = self.value(&ty, depth);
        let annotation = if self.dice.chance(30) {
            self.mark("type written out");
            format!(": {}", self.axes.shown(&ty))
        } else {
            String::new()
        };
        let plain = self.plain(&ty).map(|value| format!("let {name} = {value}"));
        self.mark("let");
        self.bind(&name, &ty, made.bound);
        self.done(format!("let {name}{annotation} = {}", made.text), plain)
    }

    /// A tensor or scalar of floats to be carried.
    fn carried_type(&mut self) -> Type {
        let elem = self.dice.pick(&[Elem::F32, Elem::F64]);
        Type::new(elem, &self.some_axes(2))
    }

    fn loop_statement(&mut self) -> Statement {
        let ty = self.carried_type();
        let (carried, i, name) = (self.fresh("c"), self.fresh("i"), self.fresh("x"));
        let start = self.value(&ty, 1);
        let (over, known) = match self.dice.below(4) {
            0 => (format!("0..{}", self.dice.below(5)), Elem::Int),
            1 => (format!("1..={}", 1 + self.dice.below(3)), Elem::Int),
            2 => {
                let int = self.int(&Type::scalar(Elem::Int), 1).text;
                (format!("0..({int} % 4)"), Elem::Int)
            }
            _ => match self.sized_axis(&Set::new()) {
                Some(axis) if self.axes.size(axis) <= 7 => (self.axes.name(axis).to_string(), Elem::Index(axis)),
                _ => ("0..3".to_string(), Elem::Int),
            },
        };
        let second = self.dice.chance(40).then(|| self.fresh("n"));
        let body = self.scoped(|g| {
            g.bind(&carried, &ty, start.bound.max(1.0));
            g.bind(&i, &Type::scalar(known), 8.0);
            let depth = g.depth().min(3);
            g.value(&ty, depth).text
        });
        self.mark(if known == Elem::Int { "for over a range" } else { "for over an axis" });
        let mut lines = vec![format!("let mut {carried} = {}", start.text)];
        if let Some(n) = &second {
            lines.push(format!("let mut {n} = 0"));
        }
        lines.push(format!("for {i} in {over} {{"));
        lines.push(format!("  {carried} = tanh({body})"));
        if let Some(n) = &second {
            lines.push(format!("  {n} += int({i}) + 1"));
        }
        lines.push("}".to_string());
        lines.push(format!("let {name} = {carried}"));
        if let Some(n) = &second {
            let total = self.fresh("x");
            lines.push(format!("let {total} = {n}"));
            self.bind(&total, &Type::scalar(Elem::Int), 40.0);
        }
        self.bind(&name, &ty, start.bound.max(1.0));
        let plain = self.plain(&ty).map(|value| format!("let {name} = {value}"));
        self.done(lines.join("\n"), plain.filter(|_| second.is_none()))
    }

    fn while_statement(&mut self) -> Statement {
        let ty = self.carried_type();
        let (carried, n, name) = (self.fresh("c"), self.fresh("n"), self.fresh("x"));
        let start = self.value(&ty, 1);
        let body = self.scoped(|g| {
            g.bind(&carried, &ty, start.bound.max(1.0));
            g.value(&ty, 2).text
        });
        let condition = match self.dice.below(3) {
            0 => format!("{n} < {}", self.dice.below(5)),
            1 => format!("{n} < 6 and total({carried}) < 2.0"),
            _ => format!("not ({n} >= 4 or total({carried} * {carried}) > 3.0)"),
        };
        self.mark("while");
        let rounds = if ty.axes.is_empty() && ty.elem == Elem::F32 { "f32" } else { "float" };
        let text = format!(
            "let mut {carried} = {}\nlet mut {n} = 0\nwhile {condition} {{\n  {carried} = tanh({body} + {carried})\n  {n} += 1\n}}\nlet {name} = {carried} * {rounds}({n})",
            start.text
        );
        self.bind(&name, &ty, 6.0 * start.bound.max(1.0));
        let plain = self.plain(&ty).map(|value| format!("let {name} = {value}"));
        self.done(text, plain)
    }

    fn branch_statement(&mut self) -> Statement {
        let ty = self.some_type();
        let (changed, name) = (self.fresh("c"), self.fresh("x"));
        let start = self.value(&ty, 1);
        let c = self.truth(&Type::scalar(Elem::Bool), 2);
        let (x, y) = (self.value(&ty, 2), self.value(&ty, 2));
        let bound = start.bound.max(x.bound).max(y.bound);
        self.mark("if statement");
        let other =
            if self.dice.chance(60) { format!(" else {{\n  {changed} = {}\n}}", y.text) } else { String::new() };
        let text = format!(
            "let mut {changed} = {}\nif {c} {{\n  {changed} = {}\n}}{other}\nlet {name} = {changed}",
            start.text, x.text
        );
        self.bind(&name, &ty, bound);
        let plain = self.plain(&ty).map(|value| format!("let {name} = {value}"));
        self.done(text, plain)
    }

    /// `t[a: 2] = ..`
    fn assignment(&mut self) -> Statement {
        let Some(axis) = self.sized_axis(&Set::new()) else { return self.binding() };
        let mut axes = self.some_axes(1);
        if axes.contains(&axis) || self.axes.fits(&axes, axis) {
            axes.insert(axis);
        } else {
            axes = with(&Set::new(), axis);
        }
        let elem = self.dice.pick(&[Elem::F32, Elem::F64, Elem::Int]);
        let ty = Type::new(elem, &axes);
        let (changed, name) = (self.fresh("c"), self.fresh("x"));
        let start = self.value(&ty, 2);
        let part = self.value(&ty.without(axis), 2);
        let sign = self.dice.pick(&["=", "+=", "-="]);
        self.mark("assignment to a place");
        let place = self.place(axis);
        let text = format!(
            "let mut {changed} = {}\n{changed}[{place}] {sign} {}\nlet {name} = {changed}",
            start.text, part.text
        );
        self.bind(&name, &ty, start.bound + part.bound);
        let plain = self.plain(&ty).map(|value| format!("let {name} = {value}"));
        self.done(text, plain)
    }

    fn record(&mut self) -> Statement {
        let name = self.fresh("r");
        let types = [self.carried_type(), self.carried_type()];
        let [u, v] = types.clone().map(|ty| self.value(&ty, 2));
        self.mark("record");
        let mut text = format!("let {name} = {{ u: {}, v: {{ w: {} }} }}", u.text, v.text);
        let mut known = vec![(name.clone(), 1.0)];
        if self.dice.chance(40) {
            self.mark("leaves of records");
            let other = self.fresh("r");
            text += &format!("\nlet {other} = map_leaves(fn(t) => tanh(t) - 0.5 * t, {name})");
            let sum = self.fresh("x");
            text += &format!("\nlet {sum} = sum_leaves(fn(t) => total(t * t), {other})");
            self.bind(&sum, &Type::scalar(Elem::F64), 1e6);
            known.push((other, 2.0));
        }
        for (name, more) in known {
            self.bind(&format!("{name}.u"), &types[0], u.bound * more);
            self.bind(&format!("{name}.v.w"), &types[1], v.bound * more);
        }
        self.done(text, None)
    }

    /// The gradient by a record, and its value.
    fn slopes_of_record(&mut self) -> Statement {
        let types = [self.carried_type(), self.carried_type()];
        let [u, v] = types.clone().map(|ty| self.value(&ty, 1));
        let name = self.fresh("g");
        let smooth = std::mem::replace(&mut self.smooth, true);
        let losses = self.scoped(|g| {
            g.bind("p.u", &types[0], u.bound);
            g.bind("p.w", &types[1], v.bound);
            types.clone().map(|ty| g.float(&ty, 2).text)
        });
        self.smooth = smooth;
        self.mark("gradient by a record");
        let text = format!(
            "let {name} = value_and_grad(fn(p) => total(tanh({}) * 0.5) + total(tanh({}) ^ 2))({{ u: {}, w: {} }})",
            losses[0], losses[1], u.text, v.text
        );
        self.bind(&format!("{name}.value"), &Type::scalar(Elem::F64), 1e4);
        self.bind(&format!("{name}.grad.u"), &types[0], 1e6);
        self.bind(&format!("{name}.grad.w"), &types[1], 1e6);
        self.done(text, None)
    }

    fn print(&mut self) -> Statement {
        self.mark("print");
        let mut holes = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let hole = match self.dice.below(4) {
                0 => {
                    let x = self.value(&Type::scalar(Elem::F64), 1).text;
                    format!("{{{x}:{}}}", self.dice.pick(&[".3", "9.2", ".1%", ".2e", ".0"]))
                }
                1 => format!("{{{}}}", self.value(&Type::scalar(Elem::Int), 1).text),
                2 => format!("{{{}}}", self.truth(&Type::scalar(Elem::Bool), 1)),
                _ => {
                    let axes = self.some_axes(1);
                    let x = self.float(&Type::new(Elem::F64, &axes), 1).text;
                    format!("{{{x}}}")
                }
            };
            holes.push(hole);
        }
        let text = format!("print(\"{}\")", holes.join(" {{}} "));
        self.done(text, None)
    }

    fn text_value(&mut self) -> Statement {
        self.mark("text");
        let (text, length) = (self.fresh("s"), self.fresh("x"));
        let (x, n) = (self.value(&Type::scalar(Elem::F64), 1).text, self.value(&Type::scalar(Elem::Int), 1).text);
        let other = self.value(&Type::scalar(Elem::Int), 1).text;
        self.bind(&length, &Type::scalar(Elem::Int), 5.0);
        self.done(
            format!(
                "let {text} = \"{{{x}:.2}} of {{{n}}}\"\nlet {length} = match {other} % 4 {{\n  0 => 5\n  1 => if {text} == str({n}) {{ 1 }} else {{ 2 }}\n  _ => 3\n}}"
            ),
            Some(format!("let {length} = 1")),
        )
    }

    fn expectation(&mut self) -> Statement {
        self.mark("expect");
        let x = self.float(&Type::scalar(Elem::F64), 2).text;
        let n = self.int(&Type::scalar(Elem::Int), 1).text;
        self.done(format!("expect {{\n  {x} ~ 0.25 +- 0.5\n  {n} in -3 .. 9\n  {x} <= 1.5\n}}"), None)
    }

    /// A list of tensors that is built in a loop and walked.
    fn list_walk(&mut self) -> Statement {
        let ty = self.carried_type();
        let (list, item, sum, name) = (self.fresh("l"), self.fresh("y"), self.fresh("c"), self.fresh("x"));
        let (first, second) = (self.value(&ty, 2), self.value(&ty, 1));
        let bound = first.bound + 3.0 * (second.bound + 3.0);
        let step = if ty.axes.is_empty() && ty.elem == Elem::F32 { "f32(float(i) * 0.5)" } else { "float(i) * 0.5" };
        self.mark("list");
        let text = format!(
            "let mut {list} = [{}]\nfor i in 0..3 {{ {list} = push({list}, {} * {step}) }}\nlet mut {sum} = nth({list}, 1)\nfor {item} in {list} {{ {sum} = {sum} * 0.5 + {item} }}\nlet {name} = {sum}",
            first.text, second.text
        );
        self.bind(&name, &ty, 2.0 * bound);
        let plain = self.plain(&ty).map(|value| format!("let {name} = {value}"));
        self.done(text, plain)
    }

    /// A forward function whose sites are read, all of them and one by one.
    fn capture(&mut self) -> Statement {
        let (Some(rank), ty) = (self.axes.named("rank"), self.carried_type()) else { return self.binding() };
        if !self.axes.fits(&ty.axes, rank) {
            return self.binding();
        }
        self.mark("capture");
        let x = self.value(&ty, 2);
        let (forward, all, second) = (self.fresh("forward"), self.fresh("k"), self.fresh("k"));
        let (site, after) = (self.fresh("s"), self.fresh("s"));
        let scale = if ty.axes.is_empty() && ty.elem == Elem::F32 { "f32(float(int(l)))" } else { "float(int(l))" };
        let text = format!(
            "fn {forward}(x) {{\n  let mut y = x\n  for l in rank {{\n    site {site} = tanh(y * 0.75)\n    y = y * 0.5 + {site} * {scale}\n    site {after} = y\n  }}\n  y\n}}\ncapture {forward}({}) {{\n  {all} = {site}\n  {second} = {after}[rank: 1]\n}}",
            x.text
        );
        self.bind(&all, &ty.with(rank), 1.0);
        self.bind(&second, &ty, x.bound + 3.0);
        self.done(text, None)
    }
}
