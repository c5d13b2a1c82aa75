//! Forms that the checker itself knows, because their types cannot be written as a signature.

use super::call::ArgVal;
use super::value::{FnVal, Lit, Val};
use super::{Checker, messages};
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{AxisSet, Const, Elem, LocalId, Op, Type};
use std::rc::Rc;

/// The names of these forms.
pub const NAMES: &[&str] = &[
    "size",
    "extent",
    "index",
    "outer",
    "expand",
    "stop",
    "grad",
    "value_and_grad",
    "map_leaves",
    "map_leaves_with",
    "sum_leaves",
    "len",
    "nth",
    "push",
    "stack",
    "concat",
    "print",
    "str",
    "assert",
    "key",
    "float",
    "int",
    "f32",
    "f64",
    "bool",
    "zeros",
    "ones",
    "full",
    "root",
];

/// The form of that name, if it is one.
pub(super) fn find(name: &str) -> Option<&'static str> {
    NAMES.iter().copied().find(|known| *known == name)
}

impl Checker {
    pub(super) fn special(&mut self, name: &'static str, axes: Option<&[Axis]>, args: Vec<ArgVal>, span: Span) -> Val {
        if args.iter().any(|arg| matches!(arg.val, Val::Error)) {
            return Val::Error;
        }
        let unsaid = axes.is_none();
        let axes = axes.unwrap_or(&[]);
        match name {
            "map_leaves" | "map_leaves_with" | "sum_leaves" => return self.leaves_form(name, axes, args, span),
            "zeros" | "ones" | "full" => return self.filled(name, axes, args, span),
            "assert" => return self.assert_form(args, span),
            _ => {}
        }
        let wanted = match name {
            "extent" => 0,
            "outer" | "nth" | "push" => 2,
            _ => 1,
        };
        if args.len() != wanted {
            self.error(messages::arity(span, name, wanted, args.len()));
            return Val::Error;
        }
        if unsaid && matches!(name, "size" | "expand") {
            self.error(messages::needs_axes(span, name, &args[0].val.ty()));
            return Val::Error;
        }
        match name {
            "extent" => self.extent(axes, span),
            "size" => self.size_form(axes, &args[0], span),
            "index" => self.index_form(axes, &args[0], span),
            "expand" => self.expand_form(axes, &args[0], span),
            "outer" => self.outer(&args[0], &args[1], span),
            "stop" => self.stop(&args[0], span),
            "grad" | "value_and_grad" => match &args[0].val {
                Val::Fn(f) => {
                    let made = Val::Fn(Rc::new(FnVal::Grad { f: f.clone(), value: name == "value_and_grad" }));
                    self.of_fair_size(made, span)
                }
                other => self.wrong_kind(&args[0], name, &other.ty(), "a function"),
            },
            "len" | "nth" | "push" | "stack" | "concat" => self.list_form(name, axes, &args, span),
            "print" => self.print(&args[0], span),
            "str" => self.shown(&args[0].val, "", span),
            "key" => {
                let root = self.root_key(span);
                self.derive_key(&root, (args[0].val.clone(), args[0].span))
            }
            "float" | "f64" => self.convert(&args[0], Elem::F64, name),
            "f32" => self.convert(&args[0], Elem::F32, name),
            "int" => self.convert(&args[0], Elem::Int, name),
            _ => self.convert(&args[0], Elem::Bool, name),
        }
    }

    fn wrong_kind(&mut self, arg: &ArgVal, form: &str, found: &Type, needed: &str) -> Val {
        self.error(messages::mismatch_text(arg.span, form, found, needed));
        Val::Error
    }

    fn extent(&mut self, axes: &[Axis], span: Span) -> Val {
        let [axis] = axes else {
            self.error(messages::needs_one_axis(span, "extent"));
            return Val::Error;
        };
        let size = self.axis_size(*axis, span);
        self.local(size, Type::INT)
    }

    /// `size[a, b](x)`: the product of the lengths.
    fn size_form(&mut self, axes: &[Axis], arg: &ArgVal, span: Span) -> Val {
        let ty = arg.val.ty();
        let Type::Tensor(_, all) = &ty else { return self.wrong_kind(arg, "size", &ty, "a tensor") };
        let mut product: Option<Val> = None;
        // By name, so that the order in brackets changes nothing.
        let mut axes = axes.to_vec();
        axes.sort_by_key(|axis| axis.shown());
        for axis in axes {
            if !all.contains(axis) {
                let place = self.axis_argument(axis, span);
                self.error(self.missing_axis(place, axis, &arg.val, "`size` needs this axis"));
                return Val::Error;
            }
            let id = self.id(&arg.val, arg.span);
            let size = self.emit(Op::SizeOf { args: vec![id], axis }, Type::INT, span);
            product = Some(match product {
                Some(product) => self.scalar_op(ScalarOp::Mul, &[&product, &size], Type::INT, span),
                None => size,
            });
        }
        product.unwrap_or(Val::Lit(Lit::Int(1)))
    }

    /// `index[a](i)`: an int, or a tensor of ints, as indices of `a`; bounds-checked.
    fn index_form(&mut self, axes: &[Axis], arg: &ArgVal, span: Span) -> Val {
        let [axis] = axes else {
            self.error(messages::needs_one_axis(span, "index"));
            return Val::Error;
        };
        let val = self.materialize(&arg.val, arg.span);
        let Type::Tensor(Elem::Int, own) = val.ty() else {
            return self.wrong_kind(arg, "index", &val.ty(), "an int, or a tensor of ints");
        };
        let size = self.axis_size(*axis, span);
        let args = vec![self.id(&val, span), size];
        self.emit(
            Op::Builtin { name: "index_check", axes: vec![*axis], args },
            Type::Tensor(Elem::Index(*axis), own),
            span,
        )
    }

    fn expand_form(&mut self, axes: &[Axis], arg: &ArgVal, span: Span) -> Val {
        let mut val = self.materialize(&arg.val, arg.span);
        for &axis in axes {
            let ty = val.ty();
            let Type::Tensor(elem, all) = ty.clone() else { return self.wrong_kind(arg, "expand", &ty, "a tensor") };
            if all.contains(axis) {
                self.error(messages::axis_is_there(span, axis, &ty));
                return Val::Error;
            }
            let size = self.axis_size(axis, span);
            let id = self.id(&val, span);
            val = self.emit(Op::Expand { arg: id, axis, size }, Type::Tensor(elem, all.with(axis)), span);
        }
        val
    }

    /// The outer product; the axes must be disjoint, or `*` would do.
    fn outer(&mut self, a: &ArgVal, b: &ArgVal, span: Span) -> Val {
        let (Type::Tensor(x, first), Type::Tensor(y, second)) = (a.val.ty(), b.val.ty()) else {
            return self.wrong_kind(a, "outer", &a.val.ty(), "two tensors");
        };
        if let Some(shared) = first.intersect(&second).iter().next() {
            let (left, right) = (self.sources.slice(a.span).to_string(), self.sources.slice(b.span).to_string());
            self.error(messages::outer_shares(span, shared, &left, &right));
            return Val::Error;
        }
        if x != y {
            self.error(messages::elements_differ(span, &(a.val.clone(), a.span), &(b.val.clone(), b.span)));
            return Val::Error;
        }
        let args = vec![self.id(&a.val, a.span), self.id(&b.val, b.span)];
        self.emit(Op::Elem { op: ScalarOp::Mul, args }, Type::Tensor(x, first.union(&second)), span)
    }

    /// The same value, through which no gradient flows.
    fn stop(&mut self, arg: &ArgVal, span: Span) -> Val {
        let val = self.materialize(&arg.val, arg.span);
        let mut stopped = Vec::new();
        for leaf in val.leaves() {
            let id = self.id(&leaf, span);
            stopped.push(self.emit(Op::Builtin { name: "stop", axes: vec![], args: vec![id] }, leaf.ty(), span));
        }
        let mut stopped = stopped.into_iter();
        val.with_leaves(&mut |_| stopped.next().unwrap_or(Val::Error))
    }

    fn convert(&mut self, arg: &ArgVal, to: Elem, form: &str) -> Val {
        match arg.val.ty() {
            Type::Tensor(..) => self.cast(&arg.val, to, arg.span),
            other => self.wrong_kind(arg, form, &other, "a number or a tensor"),
        }
    }

    fn print(&mut self, arg: &ArgVal, span: Span) -> Val {
        let text = self.shown(&arg.val, "", arg.span);
        let text = self.id(&text, span);
        self.push_stmt(Vec::new(), Op::Builtin { name: "print", axes: vec![], args: vec![text] }, span);
        Val::Unit
    }

    fn assert_form(&mut self, args: Vec<ArgVal>, span: Span) -> Val {
        if args.is_empty() || args.len() > 2 {
            self.error(messages::arity(span, "assert", 2, args.len()));
            return Val::Error;
        }
        let cond = self.conform(args[0].val.clone(), &Type::BOOL, args[0].span, &"an assertion");
        let text = match args.get(1) {
            Some(arg) => self.conform(arg.val.clone(), &Type::Str, arg.span, &"the text of an assertion"),
            None => Val::Lit(Lit::Str("the assertion does not hold".to_string())),
        };
        let ids = vec![self.id(&cond, span), self.id(&text, span)];
        self.push_stmt(Vec::new(), Op::Builtin { name: "assert", axes: vec![], args: ids }, span);
        Val::Unit
    }

    /// `zeros[a, b]()`, `ones[a]()`, `full[a](v)`.
    fn filled(&mut self, name: &str, axes: &[Axis], args: Vec<ArgVal>, span: Span) -> Val {
        let wanted = usize::from(name == "full");
        if args.len() != wanted {
            self.error(messages::arity(span, name, wanted, args.len()));
            return Val::Error;
        }
        let value = match (name, args.first()) {
            ("full", Some(arg)) => self.materialize(&arg.val, arg.span),
            ("ones", _) => self.constant(Const::F32(1.0), span),
            _ => self.constant(Const::F32(0.0), span),
        };
        let Type::Tensor(elem, own) = value.ty() else { return Val::Error };
        if !own.is_empty() {
            self.error(messages::mismatch_text(span, name, &value.ty(), "a scalar"));
            return Val::Error;
        }
        if axes.is_empty() {
            return value;
        }
        let mut ids: Vec<LocalId> = vec![self.id(&value, span)];
        for &axis in axes {
            ids.push(self.axis_size(axis, span));
        }
        let set: AxisSet = axes.iter().copied().collect();
        self.emit(Op::Builtin { name: "full", axes: axes.to_vec(), args: ids }, Type::Tensor(elem, set), span)
    }

    fn list_form(&mut self, name: &'static str, axes: &[Axis], args: &[ArgVal], span: Span) -> Val {
        let list = &args[0];
        let Type::List(item) = list.val.ty() else {
            return self.wrong_kind(list, name, &list.val.ty(), "a list");
        };
        let id = self.id(&list.val, list.span);
        match name {
            "len" => self.emit(Op::Builtin { name: "list_len", axes: vec![], args: vec![id] }, Type::INT, span),
            "nth" => {
                let at = self.int_value(&args[1].val, args[1].span, "the place in a list");
                let val = self.emit(Op::Builtin { name: "list_get", axes: vec![], args: vec![id, at] }, *item, span);
                self.unpack(val, span)
            }
            "push" => self.push_form(list, *item, &args[1], span),
            _ => self.join_list(name, axes, id, *item, list, span),
        }
    }

    fn push_form(&mut self, list: &ArgVal, item: Type, arg: &ArgVal, span: Span) -> Val {
        let (val, item) = if item == Type::Error {
            let val = self.materialize(&arg.val, arg.span);
            let ty = val.ty();
            (val, ty)
        } else {
            (self.conform(arg.val.clone(), &item, arg.span, &"every item of a list has one type"), item)
        };
        let ty = Type::List(Box::new(item));
        if list.val.ty() != ty {
            self.retype(&list.val, &ty);
        }
        let id = self.id(&list.val, list.span);
        let packed = self.pack(&val, arg.span);
        self.emit(Op::Builtin { name: "list_push", axes: vec![], args: vec![id, packed] }, ty, span)
    }

    /// `stack[a](list)` makes axis `a`; `concat[a](list)` joins along it.
    fn join_list(
        &mut self,
        name: &'static str,
        axes: &[Axis],
        id: LocalId,
        item: Type,
        list: &ArgVal,
        span: Span,
    ) -> Val {
        let [axis] = axes else {
            self.error(messages::needs_one_axis(span, name));
            return Val::Error;
        };
        let Type::Tensor(elem, own) = item.clone() else {
            return self.wrong_kind(list, name, &item, "a list of tensors");
        };
        if own.contains(*axis) == (name == "stack") {
            self.error(if name == "stack" {
                messages::axis_is_there(span, *axis, &item)
            } else {
                messages::missing_axis(span, *axis, None, &item, "`concat` joins along this axis")
            });
            return Val::Error;
        }
        self.emit(Op::Builtin { name, axes: vec![*axis], args: vec![id] }, Type::Tensor(elem, own.with(*axis)), span)
    }
}
