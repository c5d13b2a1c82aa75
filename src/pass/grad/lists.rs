//! Adjoints of lists: lists with an adjoint for each item.
//!
//! The adjoint of a list may be longer than the list; only its first items count. So that of `list_push(l, x)`
//! serves for `l` as it is.

use super::Reverse;
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::ir::{Block, Carried, LocalId, Op, Type};

impl Reverse<'_> {
    /// `list(a, b, ..)`.
    pub(super) fn reverse_list(&mut self, args: &[LocalId], adjoint: LocalId) {
        for (number, &arg) in args.iter().enumerate() {
            if self.is_active(arg) {
                let place = self.build.int(number as i64);
                let part = self.item(adjoint, place);
                self.add(arg, part);
            }
        }
    }

    /// The builtins on lists; false if `name` is none of them.
    pub(super) fn reverse_list_builtin(
        &mut self,
        name: &str,
        axes: &[Axis],
        args: &[LocalId],
        adjoint: LocalId,
    ) -> bool {
        let list = args[0];
        match (name, axes) {
            ("list_push", _) => {
                if self.is_active(args[1]) {
                    let len = self.len(list);
                    let part = self.item(adjoint, len);
                    self.add(args[1], part);
                }
                self.add(list, adjoint);
            }
            ("list_get", _) => {
                let part = self.map_list(list, |reverse, item, place| reverse.one_hot(item, place, args[1], adjoint));
                self.add(list, part);
            }
            ("stack", &[axis]) => {
                let part = self.map_list(list, |reverse, _, place| {
                    reverse.build.emit(Op::Select { arg: adjoint, axis, index: place })
                });
                self.add(list, part);
            }
            ("concat", &[axis]) => self.reverse_concat(list, axis, adjoint),
            _ => return false,
        }
        true
    }

    pub(super) fn add_lists(&mut self, like: LocalId, a: LocalId, b: LocalId) -> LocalId {
        self.map_list(like, |reverse, _, place| {
            let (x, y) = (reverse.item(a, place), reverse.item(b, place));
            match reverse.build.ty(x) {
                Type::List(_) => reverse.add_lists(x, x, y),
                _ => reverse.build.elem(ScalarOp::Add, &[x, y]),
            }
        })
    }

    pub(super) fn zero_list(&mut self, like: LocalId) -> LocalId {
        self.map_list(like, |reverse, item, _| reverse.zeros(item))
    }

    fn len(&mut self, list: LocalId) -> LocalId {
        self.build.builtin("list_len", vec![list], Type::INT)
    }

    fn item(&mut self, list: LocalId, place: LocalId) -> LocalId {
        let item = match self.build.ty(list) {
            Type::List(item) => (**item).clone(),
            other => other.clone(),
        };
        self.build.builtin("list_get", vec![list, place], item)
    }

    /// A list of `make(item, place)` for each item of `list`, of the same type.
    fn map_list(&mut self, list: LocalId, make: impl FnOnce(&mut Self, LocalId, LocalId) -> LocalId) -> LocalId {
        let ty = self.build.ty(list).clone();
        let (lo, hi) = (self.build.int(0), self.len(list));
        let init = self.build.emit_as(Op::MakeList(Vec::new()), std::slice::from_ref(&ty))[0];
        let (var, param) = (self.build.local(Type::INT), self.build.local(ty.clone()));
        let around = self.build.enter();
        let item = self.item(list, var);
        let made = make(self, item, var);
        let next = self.build.builtin("list_push", vec![param, made], ty.clone());
        let body = Block { stmts: self.build.leave(around), results: vec![next] };
        self.build.emit_as(Op::For { var, lo, hi, carried: vec![Carried { param, init }], body }, &[ty])[0]
    }

    /// `adjoint` if `place == wanted`, else zeros like `item`.
    fn one_hot(&mut self, item: LocalId, place: LocalId, wanted: LocalId, adjoint: LocalId) -> LocalId {
        let hit = self.build.elem(ScalarOp::Eq, &[place, wanted]);
        let then = Block { stmts: Vec::new(), results: vec![adjoint] };
        let around = self.build.enter();
        let zeros = self.zeros(item);
        let other = Block { stmts: self.build.leave(around), results: vec![zeros] };
        let ty = self.build.ty(item).clone();
        self.build.emit_as(Op::If { cond: hit, then, other }, &[ty])[0]
    }

    /// Each item of `concat[axis](list)` gets its range of the adjoint.
    fn reverse_concat(&mut self, list: LocalId, axis: Axis, adjoint: LocalId) {
        let ty = self.build.ty(list).clone();
        let (lo, hi) = (self.build.int(0), self.len(list));
        let init = self.build.emit_as(Op::MakeList(Vec::new()), std::slice::from_ref(&ty))[0];
        let (var, param, start) =
            (self.build.local(Type::INT), self.build.local(ty.clone()), self.build.local(Type::INT));
        let around = self.build.enter();
        let item = self.item(list, var);
        let len = self.build.size_of(item, axis);
        let end = self.build.elem(ScalarOp::Add, &[start, len]);
        let part = self.build.emit(Op::Slice { arg: adjoint, axis, to: axis, lo: start, hi: end });
        let next = self.build.builtin("list_push", vec![param, part], ty.clone());
        let body = Block { stmts: self.build.leave(around), results: vec![next, end] };
        let carried = vec![Carried { param, init }, Carried { param: start, init: lo }];
        let made = self.build.emit_as(Op::For { var, lo, hi, carried, body }, &[ty, Type::INT])[0];
        self.add(list, made);
    }
}
