//! Forms of several operations that the compiler knows: masked attention, sparse codes, gradients; and blocks, branches,
//! conversions.

use super::types::{Elem, Origin, Set, Type, with};
use super::{Generator, LARGEST, Made};

impl Generator {
    pub(super) fn where_of(&mut self, ty: &Type, depth: usize) -> Made {
        self.mark("where");
        let all = self.dice.chance(60);
        let axes = if all { ty.axes.clone() } else { self.part_of(&ty.axes) };
        let c = self.truth(&Type::new(Elem::Bool, &axes), depth - 1);
        let x = self.value(ty, depth - 1);
        let y = match self.dice.below(3) {
            // Beside a number there is nothing whose element type a wider one would take.
            0 if ty.elem.is_float() => self.literal(if ty.axes.is_empty() { ty.elem } else { Elem::F64 }),
            // The first two must share an axis.
            1 if all && !ty.axes.is_empty() => {
                let part = self.part_of(&ty.axes);
                self.value(&Type::new(ty.elem, &part), depth - 1)
            }
            _ => self.value(ty, depth - 1),
        };
        let bound = x.bound.max(y.bound);
        if self.dice.chance(50) {
            Made::new(format!("where({c}, {}, {})", x.text, y.text), bound)
        } else {
            Made::new(format!("where({c}, {}, {})", y.text, x.text), bound)
        }
    }

    /// A branch on a condition that is computed.
    pub(super) fn branched(&mut self, ty: &Type, depth: usize) -> Made {
        self.mark("if");
        let c = self.truth(&Type::scalar(Elem::Bool), depth - 1);
        let (x, y) = (self.value(ty, depth - 1), self.value(ty, depth - 1));
        Made::new(format!("(if {c} {{ {} }} else {{ {} }})", x.text, y.text), x.bound.max(y.bound))
    }

    pub(super) fn block(&mut self, ty: &Type, depth: usize) -> Made {
        self.mark("block");
        let name = self.fresh("t");
        let inner = if self.dice.chance(60) { ty.clone() } else { Type::new(ty.elem, &self.some_axes(2)) };
        let x = self.value(&inner, depth - 1);
        let y = self.scoped(|g| {
            g.bind(&name, &inner, x.bound);
            g.value(ty, depth - 1)
        });
        // Inside of a gradient a loop with a known number of rounds carries the value on.
        if ty.elem.is_float() && self.dice.chance(40) {
            self.mark("loop in an expression");
            let (carried, rounds) = (self.fresh("c"), self.dice.below(4));
            let i = self.fresh("i");
            let text = format!(
                "({{ let {name} = {}; let mut {carried} = {}; for {i} in 0..{rounds} {{ {carried} = tanh({carried} * 0.5 + {}) }}; {carried} }})",
                x.text, y.text, y.text
            );
            return Made::new(text, y.bound.max(1.0));
        }
        Made::new(format!("({{ let {name} = {}; {} }})", x.text, y.text), y.bound)
    }

    pub(super) fn converted(&mut self, ty: &Type, depth: usize) -> Made {
        self.mark("conversion");
        let name = if ty.elem == Elem::F32 { "f32" } else { self.dice.pick(&["f64", "float"]) };
        let from = match self.dice.below(5) {
            0 if !self.smooth => Elem::Int,
            1 => Elem::Bool,
            _ if ty.elem == Elem::F32 => Elem::F64,
            _ => Elem::F32,
        };
        let x = self.value(&Type::new(from, &ty.axes), depth - 1);
        Made::new(format!("{name}({})", x.text), x.bound)
    }

    /// softmax(q k / sqrt h, masked) v, over an axis and its twin.
    pub(super) fn attended(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let twins: Vec<(usize, usize)> = (0..self.axes.0.len())
            .filter_map(|axis| match self.axes.0[axis].origin {
                Origin::Like(of) => Some((of, axis)),
                _ => None,
            })
            .flat_map(|(one, other)| [(one, other), (other, one)])
            .filter(|&(query, key)| ty.axes.contains(&query) && !ty.axes.contains(&key))
            .collect();
        let (query, key) = (!twins.is_empty()).then(|| self.dice.pick(&twins))?;
        let rest = ty.without(query);
        let batch: Set = rest.axes.iter().copied().filter(|_| self.dice.chance(50)).collect();
        let inner = self.sized_axis(&with(&with(&rest.axes, query), key))?;
        let sides = [query, key].map(|axis| Type::new(ty.elem, &with(&with(&batch, axis), inner)));
        let largest = self.axes.elements(&with(&with(&rest.axes, query), key)) * self.axes.size(inner);
        if largest > 4 * LARGEST {
            return None;
        }
        self.mark("attention");
        let [q, k] = sides.map(|side| self.float(&side, depth - 1));
        let v = self.float(&rest.with(key), depth - 1);
        let h = self.axes.name(inner).to_string();
        let scale = match self.dice.below(3) {
            0 => format!(" / sqrt(float(extent[{h}]()))"),
            1 => " * 0.5".to_string(),
            _ => String::new(),
        };
        let mut scores = format!("({} @[{h}] {}){scale}", q.text, k.text);
        let (queries, keys) = (self.axes.name(query).to_string(), self.axes.name(key).to_string());
        if self.dice.chance(70) {
            self.mark("masked attention");
            let seen = match self.dice.below(4) {
                0 | 1 => format!("causal[{queries}, {keys}]()"),
                2 => format!("[i in {queries}, j in {keys} => int(j) + 2 > int(i)]"),
                _ => {
                    let both = with(&with(&Set::new(), query), key);
                    self.frozen(|g| g.truth(&Type::new(Elem::Bool, &both), 1))
                }
            };
            scores = format!("where({seen}, {scores}, -1e9)");
        }
        Some(Made::new(format!("(softmax[{keys}]({scores}) @[{keys}] {})", v.text), v.bound * 1.01))
    }

    /// The gradient of a smooth function at a value of the type.
    pub(super) fn gradient(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        if self.smooth || !self.binders.is_empty() || self.axes.elements(&ty.axes) > 300 {
            return None;
        }
        self.mark("gradient");
        let at = self.value(ty, depth - 1);
        let (w, twice) = (self.fresh("w"), self.dice.chance(15));
        let loss = self.loss(&w, ty, at.bound, depth);
        let text = if twice {
            self.mark("gradient of a gradient");
            let v = self.fresh("v");
            format!("grad(fn({v}) => total(grad(fn({w}) => {loss})({v}) ^ 2))({})", at.text)
        } else if self.dice.chance(30) {
            format!("value_and_grad(fn({w}) => {loss})({}).grad", at.text)
        } else {
            format!("grad(fn({w}) => {loss})({})", at.text)
        };
        // How steep the function is cannot be told.
        Some(Made::new(format!("tanh({text})"), 1.0))
    }

    /// A float that follows smoothly from `w`.
    pub(super) fn loss(&mut self, w: &str, ty: &Type, bound: f64, depth: usize) -> String {
        let kept = std::mem::replace(&mut self.smooth, true);
        let loss = self.scoped(|g| {
            g.bind(w, ty, bound);
            let shape = if g.dice.chance(60) { ty.clone() } else { Type::new(ty.elem, &g.some_axes(2)) };
            g.float(&shape, depth.max(2)).text
        });
        self.smooth = kept;
        match self.dice.below(3) {
            0 => format!("total({loss} ^ 2)"),
            1 => format!("total({loss}) * total({w})"),
            _ => format!("total(tanh({loss}))"),
        }
    }

    /// A sparse code, multiplied by a decoder: the product reads its entries alone.
    pub(super) fn coded(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let feature = self.another_axis(&ty.axes)?;
        let kept = self.part_of(&ty.axes);
        self.mark("product of a code");
        let k = (1 + self.dice.below(3)).min(self.axes.size(feature));
        let z = self.float(&Type::new(ty.elem, &kept).with(feature), depth - 1);
        let mut rest: Set = ty.axes.difference(&kept).copied().collect();
        rest.insert(feature);
        let decoder = self.float(&Type::new(ty.elem, &rest), depth - 1);
        let name = self.axes.name(feature);
        let n = self.axes.size(feature) as f64;
        Some(Made::new(
            format!("(keep_top[{name}]({}, {k}) @[{name}] {})", z.text, decoder.text),
            z.bound * decoder.bound * n,
        ))
    }

    /// What an encoder of a dictionary does: a product that is selected from.
    pub(super) fn encoded(&mut self, ty: &Type, depth: usize) -> Option<Made> {
        let axes: Vec<usize> = ty.axes.iter().copied().collect();
        let feature = (!axes.is_empty()).then(|| self.dice.pick(&axes))?;
        let rest = ty.without(feature);
        let inner = self.another_axis(&ty.axes)?;
        self.mark("selection from a product");
        let x = self.float(&rest.with(inner), depth - 1);
        let weights = self.float(&Type::new(ty.elem, &with(&Set::new(), feature)).with(inner), depth - 1);
        let bias = self.float(&Type::new(ty.elem, &with(&Set::new(), feature)), depth - 1);
        let (name, d) = (self.axes.name(feature), self.axes.name(inner));
        let (k, n) = (1 + self.axes.size(feature) / 3, self.axes.size(inner) as f64);
        let product = format!("({} @[{d}] {} + {})", x.text, weights.text, bias.text);
        let product = if self.dice.chance(60) { format!("relu({product})") } else { product };
        Some(Made::new(format!("keep_top[{name}]({product}, {k})"), x.bound * weights.bound * n + bias.bound))
    }
}
