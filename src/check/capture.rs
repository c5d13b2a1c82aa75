//! `capture model(args) { x = site[layer: 2] }`: the forward pass inlined, yielding the named sites.
//!
//! Capturing is compilation only. The forward function is read twice: once in a function that is thrown away,
//! to learn which sites there are and what types they have; once for good, with a slot for each request that
//! branches and loops carry. What nobody needs is dead code, and a loop over an axis that every request pins
//! stops after the last round that is asked for. If the model treats an axis of its arguments index by index
//! (`streams` finds out), it runs on tiles along it, one after another, and the results are tensors in tiles.

use super::believe::Met;
use super::call::ArgVal;
use super::hooks::{is_path, near_hook};
use super::value::{FnVal, Val};
use super::{Checker, messages, streams};
use crate::base::axis::Axis;
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{Carried, Function, LocalId, Op, Type};
use crate::syntax::ast::{self, Bracket};
use std::rc::Rc;

pub(crate) struct CaptureState {
    requests: Vec<Request>,
    /// The frames of the model start here; loops further out are not the model's.
    base: usize,
    /// Only looking: record names and types.
    looking: bool,
    /// Every site met.
    met: Vec<Met>,
}

impl CaptureState {
    /// Which requests ask for that site.
    fn wanted(&self, name: &str) -> Vec<usize> {
        (0..self.requests.len()).filter(|&at| self.requests[at].site == name).collect()
    }
}

struct Request {
    site: String,
    /// Loop axes that the request pins: `layer: 2`.
    pins: Vec<(Axis, Val)>,
    /// Those that the name of the site pins, which must be loops around it.
    stated: Vec<Axis>,
    /// The other brackets, applied to the value at the site.
    parts: Vec<Bracket>,
    span: Span,
    /// Type of the value (after the brackets), once the site was met.
    ty: Option<Type>,
    /// Loop axis collected into a list, because no index pins it.
    collects: Option<Axis>,
    value: Val,
}

impl Request {
    /// The type of the captured value: with the axis of the loop, where it is collected over one.
    fn captured_type(&self) -> Option<Type> {
        match (self.collects, self.ty.as_ref()?) {
            (Some(axis), Type::Tensor(elem, own)) => Some(Type::Tensor(*elem, own.with(axis))),
            (_, ty) => Some(ty.clone()),
        }
    }
}

/// The first axis of the arguments, by name, along which every captured value can be made tile by tile.
fn local_axis(function: &Function, params: &[LocalId], level: usize, requests: &[Request]) -> Option<Axis> {
    let made_here = |request: &Request| match &request.value {
        Val::Local { level: at, id, .. } if *at == level => Some(*id),
        _ => None,
    };
    let wanted = requests.iter().map(made_here).collect::<Option<Vec<LocalId>>>()?;
    let axes = streams::candidates(params.iter().map(|&param| function.ty(param)));
    axes.into_iter().find(|&axis| streams::is_local(function, params, axis, &wanted))
}

impl Checker {
    pub(super) fn capture_expr(&mut self, capture: &ast::CaptureExpr) -> Val {
        if self.capture.is_some() {
            self.error(messages::nested_capture(capture.span));
            return Val::Error;
        }
        let model = self.expr(&capture.model);
        let Some(f) = self.forward_of(&model, capture.model.span) else { return Val::Error };
        let mut args = Vec::new();
        for arg in &capture.args {
            let val = self.expr(&arg.value);
            let val = self.with_tensors(&val, &mut |checker, leaf| {
                let id = checker.id(leaf, arg.value.span);
                checker.local(id, leaf.ty())
            });
            args.push(ArgVal { name: arg.name.clone(), val, span: arg.value.span });
        }
        let Some(requests) = self.requests(capture, &model) else { return Val::Error };
        let Some((requests, along)) = self.look(&f, &args, capture, &model, requests) else { return Val::Error };
        let values = match (self.believed_sites(&requests, capture.span), along) {
            (Some(believed), _) => Some(believed),
            (None, Some(axis)) => self.in_tiles(&f, &args, capture, requests, axis),
            (None, None) => self.run_forward(&f, args, capture, requests),
        };
        let Some(values) = values else { return Val::Error };
        Val::record(capture.sites.iter().map(|site| site.name.name.clone()).zip(values).collect())
    }

    /// Where calls are believed, the first reading says enough: the types of what is captured.
    fn believed_sites(&mut self, requests: &[Request], span: Span) -> Option<Vec<Val>> {
        let types = requests.iter().map(Request::captured_type).collect::<Option<Vec<Type>>>()?;
        self.believes().then(|| types.iter().map(|ty| self.stand_in(ty, span)).collect())
    }

    /// The same value with its tensors replaced.
    fn with_tensors(&mut self, val: &Val, new: &mut dyn FnMut(&mut Checker, &Val) -> Val) -> Val {
        match val {
            Val::Record(fields) => {
                Val::record(fields.iter().map(|(name, val)| (name.clone(), self.with_tensors(val, new))).collect())
            }
            leaf if leaf.axes().is_some_and(|axes| !axes.is_empty()) => new(self, leaf),
            other => other.clone(),
        }
    }

    pub(super) fn forward_of(&mut self, model: &Val, span: Span) -> Option<Rc<FnVal>> {
        match model {
            Val::Fn(f) => Some(f.clone()),
            Val::Error => None,
            other => match other.field("forward") {
                Some(Val::Fn(f)) => Some(f.clone()),
                _ => {
                    self.error(messages::not_a_model(span, &other.ty()));
                    None
                }
            },
        }
    }

    /// What is asked for: the sites, and their indices, evaluated where the capture stands; which of those pin loops is
    /// known once the site is met. What the name of a site states by itself (`blocks.3.hook_resid_pre`) comes first.
    fn requests(&mut self, capture: &ast::CaptureExpr, model: &Val) -> Option<Vec<Request>> {
        let mut all = Vec::new();
        for site in &capture.sites {
            let named = self.site_called(model, &site.site)?;
            let stated: Vec<Axis> = named.pins.iter().map(|(axis, _)| *axis).collect();
            let mut pins = named.pins;
            for part in &site.parts {
                if let Bracket::Index { axis, value } = part
                    && let Some(found) = self.axis(axis)
                {
                    if stated.contains(&found) {
                        self.error(messages::axis_twice(axis.span, found));
                    }
                    let val = self.expr(value);
                    let val = self.materialize(&val, value.span);
                    if !val.is_error() && val.ty().is_scalar() && !val.ty().is_index_of(found) {
                        self.error(messages::wrong_index(value.span, found, &val.ty()));
                    }
                    pins.push((found, val));
                }
            }
            let (parts, span) = (site.parts.clone(), site.span);
            let (ty, collects, value) = (None, None, Val::Unit);
            all.push(Request { site: named.site, pins, stated, parts, span, ty, collects, value });
        }
        Some(all)
    }

    /// The first reading: types of the sites; an error for one that the model does not have. Also the axis along
    /// which the model can run on tiles, if there is one.
    fn look(
        &mut self,
        f: &Rc<FnVal>,
        args: &[ArgVal],
        capture: &ast::CaptureExpr,
        model: &Val,
        requests: Vec<Request>,
    ) -> Option<(Vec<Request>, Option<Axis>)> {
        let faults = self.errors.len();
        let asked = self.question_of_sites(f, args);
        self.capture = Some(CaptureState { requests, base: self.frames.len(), looking: true, met: Vec::new() });
        let along = match self.known_sites(asked) {
            Some(met) => {
                self.meet_again(&met, capture.span);
                None
            }
            None => self.read_forward(f, args, capture.span),
        };
        let state = self.capture.take()?;
        if self.errors.len() > faults {
            return None;
        }
        let known: Vec<String> = state.met.iter().map(|site| site.name.clone()).collect();
        for (request, site) in state.requests.iter().zip(&capture.sites) {
            let (name, span) = (&request.site, site.site.span);
            match request.ty {
                Some(_) => {}
                None if is_path(name) => {
                    let near = near_hook(model, name, |site| known.iter().any(|known| known == site));
                    self.error(messages::unknown_hook(span, name, near));
                }
                None => self.error(messages::unknown_site(span, name, &known)),
            }
        }
        self.keep_sites(asked, state.met);
        (self.errors.len() == faults).then_some((state.requests, along))
    }

    /// Reads the forward function once, in a function that is thrown away; the axis along which it can run on tiles.
    fn read_forward(&mut self, f: &Rc<FnVal>, args: &[ArgVal], span: Span) -> Option<Axis> {
        self.open_function("looking for sites");
        let mut params = Vec::new();
        let inner = args.iter().map(|arg| {
            let val = self.with_tensors(&arg.val, &mut |checker, leaf| {
                let param = checker.new_param(leaf.ty(), "argument", arg.span);
                params.push(checker.id(&param, arg.span));
                param
            });
            ArgVal { name: arg.name.clone(), val, span: arg.span }
        });
        let inner = inner.collect();
        self.call(f, None, inner, span);
        let level = self.level();
        let (function, _) = self.close_function(Vec::new());
        self.note_sites(span);
        // What is believed is never run, on tiles or otherwise.
        let state = self.capture.as_ref().filter(|_| !self.believes())?;
        local_axis(&function, &params, level, &state.requests)
    }

    /// The same sites as before, without reading the function.
    fn meet_again(&mut self, sites: &[Met], span: Span) {
        for site in sites {
            let Some(state) = &mut self.capture else { return };
            state.met.push(site.clone());
            let wanted = state.wanted(&site.name);
            if !wanted.is_empty() {
                let val = self.stand_in(&site.ty, span);
                wanted.into_iter().for_each(|at| self.look_at(at, &val, &site.loops));
            }
        }
    }

    /// The second reading, in place. Slots start undefined; every loop that meets the site carries them.
    fn run_forward(
        &mut self,
        f: &Rc<FnVal>,
        args: Vec<ArgVal>,
        capture: &ast::CaptureExpr,
        mut requests: Vec<Request>,
    ) -> Option<Vec<Val>> {
        for request in &mut requests {
            let span = request.span;
            let ty = request.ty.clone()?;
            request.value = match request.collects {
                Some(_) => self.emit(Op::MakeList(Vec::new()), Type::List(Box::new(ty)), span),
                None => self.emit(Op::Undef, ty, span),
            };
        }
        self.capture = Some(CaptureState { requests, base: self.frames.len(), looking: false, met: Vec::new() });
        self.call(f, None, args, capture.span);
        let state = self.capture.take()?;
        let mut values = Vec::new();
        for request in state.requests {
            values.push(match (request.collects, request.captured_type()) {
                (Some(axis), Some(ty)) => {
                    let list = self.id(&request.value, request.span);
                    self.emit(Op::Builtin { name: "stack", axes: vec![axis], args: vec![list] }, ty, request.span)
                }
                _ => request.value,
            });
        }
        Some(values)
    }

    /// The second reading inside a loop over tiles along `axis`. How long a tile is follows from the lengths of the
    /// first argument's other axes; a single tile is an ordinary tensor.
    fn in_tiles(
        &mut self,
        f: &Rc<FnVal>,
        args: &[ArgVal],
        capture: &ast::CaptureExpr,
        requests: Vec<Request>,
        axis: Axis,
    ) -> Option<Vec<Val>> {
        let span = capture.span;
        let types = requests.iter().map(Request::captured_type).collect::<Option<Vec<Type>>>()?;
        let (n, step) = self.tile_lengths(args, axis, span)?;
        let lo = self.int(0, span);
        let count = self.tile_count(n, step, span);
        let mut carried = Vec::new();
        for ty in &types {
            let start = self.emit(Op::Undef, ty.clone(), span);
            let init = self.id(&start, span);
            carried.push(Carried { param: self.new_local(ty.clone(), None, span), init });
        }
        let var = self.new_local(Type::INT, Some("tile"), span);
        self.open_block();
        let (from, to) = self.tile_bounds(var, n, step, span);
        let mut parts = Vec::new();
        for arg in args {
            let val = self.with_tensors(&arg.val, &mut |checker, leaf| match leaf.axes() {
                Some(axes) if axes.contains(axis) => {
                    let arg = checker.id(leaf, span);
                    let part = checker.emit(Op::Slice { arg, axis, to: axis, lo: from, hi: to }, leaf.ty(), span);
                    let args = vec![checker.id(&part, span)];
                    checker.emit(Op::Builtin { name: "in_memory", axes: vec![], args }, leaf.ty(), span)
                }
                _ => leaf.clone(),
            });
            parts.push(ArgVal { name: arg.name.clone(), val, span: arg.span });
        }
        let values = self.run_forward(f, parts, capture, requests)?;
        let mut results = Vec::new();
        for ((value, each), ty) in values.iter().zip(&carried).zip(&types) {
            let args = vec![each.param, self.id(value, span), from, n];
            let joined = self.emit(Op::Builtin { name: "append_tile", axes: vec![axis], args }, ty.clone(), span);
            results.push(self.id(&joined, span));
        }
        let body = self.close_block(results);
        Some(self.emit_many(Op::For { var, lo, hi: count, carried, body }, &types, span))
    }

    /// `site q = ...` binds `q`, and keeps the value where a capture asks for it.
    pub(super) fn site_stmt(&mut self, name: &ast::Ident, value: &ast::Expr) {
        let val = self.expr(value);
        let val = self.materialize(&val, value.span);
        let val = self.swapped_site(name, val, value);
        self.bind(&name.name, val.clone(), false, name.span);
        let Some(state) = &self.capture else { return };
        let loops: Vec<(Axis, Val)> = self.frames[state.base..].iter().flat_map(|frame| frame.loops.clone()).collect();
        let wanted = state.wanted(&name.name);
        if !state.looking {
            wanted.into_iter().for_each(|at| self.keep(at, &val, &loops));
            return;
        }
        let loops: Vec<Axis> = loops.into_iter().map(|(axis, _)| axis).collect();
        self.note_site(name, &val, &loops);
        wanted.into_iter().for_each(|at| self.look_at(at, &val, &loops));
        if let Some(state) = &mut self.capture {
            state.met.push(Met { name: name.name.clone(), ty: val.ty(), loops });
        }
    }

    /// The brackets of a request that do not pin a loop.
    fn rest_of(&mut self, at: usize, loops: &[Axis]) -> (Vec<Bracket>, Span) {
        let Some(state) = &self.capture else { return (Vec::new(), Span::default()) };
        let (parts, span) = (state.requests[at].parts.clone(), state.requests[at].span);
        let mut rest = Vec::new();
        for part in parts {
            let pins_loop = match &part {
                Bracket::Index { axis, .. } => {
                    let found = self.find_axis(&axis.name).unwrap_or_default();
                    loops.iter().any(|axis| found.contains(axis))
                }
                _ => false,
            };
            if !pins_loop {
                rest.push(part);
            }
        }
        (rest, span)
    }

    fn look_at(&mut self, at: usize, val: &Val, loops: &[Axis]) {
        let (parts, span) = self.rest_of(at, loops);
        let kept = self.at_capture(|checker| checker.brackets(val.clone(), &parts, span));
        let Some(state) = &mut self.capture else { return };
        let request = &mut state.requests[at];
        let astray = request.stated.iter().copied().find(|axis| !loops.contains(axis));
        let pinned = |axis: &Axis| request.pins.iter().any(|(pin, _)| pin == axis);
        let open: Vec<Axis> = loops.iter().copied().filter(|axis| !pinned(axis)).collect();
        request.ty = Some(kept.ty());
        request.value = kept;
        request.collects = open.first().copied();
        if open.len() > 1 {
            self.error(messages::two_open_loops(span, &open));
        }
        if let Some(axis) = astray {
            self.error(messages::site_outside_loop(span, axis));
        }
    }

    /// Evaluates with the names at the capture, not those of the model.
    fn at_capture<T>(&mut self, work: impl FnOnce(&mut Checker) -> T) -> T {
        let base = self.capture.as_ref().map_or(0, |state| state.base);
        let inner = self.frames.split_off(base);
        let saved = self.capture.take();
        let out = work(self);
        self.capture = saved;
        self.frames.extend(inner);
        out
    }

    fn keep(&mut self, at: usize, val: &Val, loops: &[(Axis, Val)]) {
        let axes: Vec<Axis> = loops.iter().map(|(axis, _)| *axis).collect();
        let (parts, span) = self.rest_of(at, &axes);
        let Some(state) = &self.capture else { return };
        let pins = state.requests[at].pins.clone();
        let (old, collects) = (state.requests[at].value.clone(), state.requests[at].collects);
        let pinned: Vec<(Val, Val)> = loops
            .iter()
            .filter_map(|(axis, index)| {
                pins.iter().find(|(pin, _)| pin == axis).map(|(_, wanted)| (index.clone(), wanted.clone()))
            })
            .collect();
        let take = |checker: &mut Checker| {
            let kept = checker.at_capture(|checker| checker.brackets(val.clone(), &parts, span));
            if collects.is_none() {
                return kept;
            }
            let args = vec![checker.id(&old, span), checker.id(&kept, span)];
            checker.emit(Op::Builtin { name: "list_push", axes: vec![], args }, old.ty(), span)
        };
        let new = match self.all_equal(&pinned, span) {
            None => take(self),
            Some(cond) => {
                let previous = old.clone();
                self.branch(&cond, &mut |checker| take(checker), &mut |_| previous.clone(), span)
            }
        };
        if let Some(state) = &mut self.capture {
            state.requests[at].value = new;
        }
    }

    pub(super) fn all_equal(&mut self, pairs: &[(Val, Val)], span: Span) -> Option<Val> {
        let mut all: Option<Val> = None;
        for (index, wanted) in pairs {
            let (a, b) = (self.index_as_int(index, span), self.index_as_int(wanted, span));
            let equal = self.scalar_op(ScalarOp::Eq, &[&a, &b], Type::BOOL, span);
            all = Some(match all {
                Some(all) => self.scalar_op(ScalarOp::And, &[&all, &equal], Type::BOOL, span),
                None => equal,
            });
        }
        all
    }

    /// How far a loop over `axis` must run: if every request pins it, to the last index asked for. Each index
    /// is checked against the length.
    pub(super) fn capture_bound(&mut self, axis: Axis, size: LocalId, span: Span) -> LocalId {
        let Some(state) = &self.capture else { return size };
        if state.looking || self.frames.len() <= state.base {
            return size;
        }
        let all_pin = state.requests.iter().all(|request| request.pins.iter().any(|(pin, _)| *pin == axis));
        let pins: Vec<(Val, Span)> = state
            .requests
            .iter()
            .flat_map(|request| {
                request.pins.iter().filter(|(pin, _)| *pin == axis).map(|(_, val)| (val.clone(), request.span))
            })
            .collect();
        let mut last: Option<Val> = None;
        for (pin, at) in &pins {
            let plain = self.index_as_int(pin, *at);
            let args = vec![self.id(&plain, *at), size];
            let checked = self.emit(Op::Builtin { name: "index_check", axes: vec![axis], args }, Type::INT, *at);
            last = Some(match last {
                Some(last) => self.scalar_op(ScalarOp::Max, &[&last, &checked], Type::INT, span),
                None => checked,
            });
        }
        match last {
            Some(last) if all_pin => {
                let last = self.id(&last, span);
                self.plus_one(last, span)
            }
            _ => size,
        }
    }

    pub(super) fn capture_slots(&self) -> usize {
        self.capture.as_ref().filter(|state| !state.looking).map_or(0, |state| state.requests.len())
    }

    pub(super) fn captured_values(&self) -> Vec<Val> {
        match &self.capture {
            Some(state) if !state.looking => state.requests.iter().map(|request| request.value.clone()).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn set_captured_values(&mut self, values: &[Val]) {
        if let Some(state) = &mut self.capture
            && !state.looking
        {
            for (request, val) in state.requests.iter_mut().zip(values) {
                request.value = val.clone();
            }
        }
    }
}
