//! Emitting IR: a stack of functions under construction, each with a stack of open blocks.

use super::value::{Lit, Val};
use super::{Checker, messages};
use crate::base::ops::ScalarOp;
use crate::base::span::Span;
use crate::ir::{Block, Const, Effect, FuncId, Function, Local, LocalId, Op, Stmt, Type};

pub(crate) struct Builder {
    pub function: Function,
    blocks: Vec<Vec<Stmt>>,
    /// Values of the function below that this one reads: (local there, local here). They become parameters.
    pub captured: Vec<(LocalId, LocalId)>,
}

impl Checker {
    pub(super) fn open_function(&mut self, name: impl Into<String>) {
        let function = Function {
            name: name.into(),
            params: Vec::new(),
            results: Vec::new(),
            locals: Vec::new(),
            body: Block::default(),
            effect: Effect::None,
        };
        self.builders.push(Builder { function, blocks: vec![Vec::new()], captured: Vec::new() });
        let level = self.level();
        self.forget_losses(level);
    }

    /// Closes the function on top; its captured values follow its own parameters. Returns it with the locals
    /// of the function below that must be passed for them.
    pub(super) fn close_function(&mut self, results: Vec<LocalId>) -> (Function, Vec<LocalId>) {
        let Some(mut builder) = self.builders.pop() else {
            return (empty_function(), Vec::new());
        };
        let stmts = builder.blocks.pop().unwrap_or_default();
        // What stands in a block that nobody closed would be lost without a word.
        if !builder.blocks.is_empty() && self.errors.is_empty() {
            let stray = builder.blocks.iter().flatten().chain(&stmts).next();
            self.error(messages::lost_block(stray.map_or(Span::default(), |stmt| stmt.span), &builder.function.name));
        }
        let outer = builder.captured.iter().map(|&(outside, _)| outside).collect();
        builder.function.params.extend(builder.captured.iter().map(|&(_, inside)| inside));
        builder.function.results = results.iter().map(|&id| builder.function.ty(id).clone()).collect();
        builder.function.body = Block { stmts, results };
        (builder.function, outer)
    }

    pub(super) fn add_function(&mut self, function: Function) -> FuncId {
        self.module.add(function)
    }

    /// How many blocks are open, in all functions under construction: what is made at one depth is known further in.
    pub(super) fn open_blocks(&self) -> usize {
        self.builders.iter().map(|builder| builder.blocks.len()).sum()
    }

    pub(super) fn level(&self) -> usize {
        self.builders.len().saturating_sub(1)
    }

    fn builder(&mut self) -> &mut Builder {
        if self.builders.is_empty() {
            // Only an erroneous program gets here; what it emits is thrown away.
            self.open_function("nowhere");
        }
        let last = self.builders.len() - 1;
        &mut self.builders[last]
    }

    pub(super) fn new_local(&mut self, ty: Type, name: Option<&str>, span: Span) -> LocalId {
        let builder = self.builder();
        builder.function.locals.push(Local { ty, name: name.map(str::to_string), span });
        LocalId(builder.function.locals.len() as u32 - 1)
    }

    /// A parameter of the function on top.
    pub(super) fn new_param(&mut self, ty: Type, name: &str, span: Span) -> Val {
        let id = self.new_local(ty.clone(), Some(name), span);
        self.builder().function.params.push(id);
        self.local(id, ty)
    }

    pub(super) fn local(&self, id: LocalId, ty: Type) -> Val {
        Val::Local { level: self.level(), id, ty }
    }

    pub(super) fn set_type(&mut self, id: LocalId, ty: Type) {
        if let Some(local) = self.builder().function.locals.get_mut(id.0 as usize) {
            local.ty = ty;
        }
    }

    pub(super) fn name_local(&mut self, val: &Val, name: &str) {
        let level = self.level();
        if let Val::Local { level: at, id, .. } = val
            && *at == level
            && let Some(local) = self.builder().function.locals.get_mut(id.0 as usize)
            && local.name.is_none()
        {
            local.name = Some(name.to_string());
        }
    }

    /// The place of a statement, which for code of the library says whose call it stands for.
    fn on_behalf(&mut self, span: Span) -> Span {
        if self.call_sites.is_empty() || !self.sources.is_library(span.file) {
            return span;
        }
        let from = self.call_sites.iter().rev().find(|call| !self.sources.is_library(call.file));
        match from.copied() {
            Some(from) => Span { file: self.sources.called(span.file, from), ..span },
            None => span,
        }
    }

    pub(super) fn push_stmt(&mut self, dest: Vec<LocalId>, op: Op, span: Span) {
        if self.made_one(span) {
            return;
        }
        let span = self.on_behalf(span);
        let effect = self.module.effect_of(&op);
        let builder = self.builder();
        builder.function.effect = builder.function.effect.max(effect);
        if let Some(block) = builder.blocks.last_mut() {
            block.push(Stmt { dest, op, span });
        }
    }

    /// One operation with one result.
    pub(super) fn emit(&mut self, op: Op, ty: Type, span: Span) -> Val {
        let id = self.new_local(ty.clone(), None, span);
        self.push_stmt(vec![id], op, span);
        self.local(id, ty)
    }

    /// One operation with any number of results.
    pub(super) fn emit_many(&mut self, op: Op, types: &[Type], span: Span) -> Vec<Val> {
        let ids: Vec<LocalId> = types.iter().map(|ty| self.new_local(ty.clone(), None, span)).collect();
        self.push_stmt(ids.clone(), op, span);
        ids.into_iter().zip(types).map(|(id, ty)| self.local(id, ty.clone())).collect()
    }

    pub(super) fn open_block(&mut self) {
        self.builder().blocks.push(Vec::new());
    }

    pub(super) fn close_block(&mut self, results: Vec<LocalId>) -> Block {
        Block { stmts: self.builder().blocks.pop().unwrap_or_default(), results }
    }

    pub(super) fn constant(&mut self, value: Const, span: Span) -> Val {
        let ty = match &value {
            Const::Int(_) => Type::INT,
            Const::F32(_) => Type::F32,
            Const::F64(_) => Type::FLOAT,
            Const::Bool(_) => Type::BOOL,
            Const::Str(_) => Type::Str,
        };
        self.emit(Op::Const(value), ty, span)
    }

    pub(super) fn int(&mut self, value: i64, span: Span) -> LocalId {
        let val = self.constant(Const::Int(value), span);
        self.id(&val, span)
    }

    pub(super) fn string(&mut self, text: &str, span: Span) -> LocalId {
        let val = self.constant(Const::Str(text.to_string()), span);
        self.id(&val, span)
    }

    /// The local that holds a leaf, in the function on top: reads globals, makes constants, captures from below.
    pub(super) fn id(&mut self, val: &Val, span: Span) -> LocalId {
        match val {
            Val::Local { level, id, ty } => self.import(*level, *id, ty),
            Val::Global(global, ty) => {
                let id = self.new_local(ty.clone(), None, span);
                self.push_stmt(vec![id], Op::GlobalGet(*global), span);
                id
            }
            Val::Lit(lit) => {
                let value = match lit {
                    Lit::Int(x) => Const::Int(*x),
                    Lit::Float(x) => Const::F64(*x),
                    Lit::Bool(x) => Const::Bool(*x),
                    Lit::Str(x) => Const::Str(x.clone()),
                };
                let val = self.constant(value, span);
                self.id(&val, span)
            }
            _ => {
                // An error was reported; any local will do.
                let id = self.new_local(Type::Error, None, span);
                self.push_stmt(vec![id], Op::Undef, span);
                id
            }
        }
    }

    pub(super) fn ids(&mut self, vals: &[Val], span: Span) -> Vec<LocalId> {
        vals.iter().map(|val| self.id(val, span)).collect()
    }

    fn import(&mut self, level: usize, id: LocalId, ty: &Type) -> LocalId {
        let mut id = id;
        for at in level + 1..self.builders.len() {
            let builder = &mut self.builders[at];
            let known = builder.captured.iter().find(|(outside, _)| *outside == id).map(|&(_, inside)| inside);
            id = known.unwrap_or_else(|| {
                builder.function.locals.push(Local { ty: ty.clone(), name: None, span: Span::default() });
                let inside = LocalId(builder.function.locals.len() as u32 - 1);
                builder.captured.push((id, inside));
                inside
            });
        }
        id
    }

    /// A literal made a run-time value; other leaves as they are, records leaf by leaf.
    pub(super) fn materialize(&mut self, val: &Val, span: Span) -> Val {
        match val {
            Val::Lit(_) => {
                let ty = val.ty();
                let id = self.id(val, span);
                self.local(id, ty)
            }
            Val::Record(fields) => {
                let fields = fields.iter().map(|(name, val)| (name.clone(), self.materialize(val, span))).collect();
                Val::record(fields)
            }
            other => other.clone(),
        }
    }

    /// A scalar operation on scalars of one type.
    pub(super) fn scalar_op(&mut self, op: ScalarOp, args: &[&Val], ty: Type, span: Span) -> Val {
        let args = args.iter().map(|val| self.id(val, span)).collect();
        self.emit(Op::Elem { op, args }, ty, span)
    }
}

fn empty_function() -> Function {
    Function {
        name: String::new(),
        params: Vec::new(),
        results: Vec::new(),
        locals: Vec::new(),
        body: Block::default(),
        effect: Effect::None,
    }
}
