//! What can stand at the cursor, and what is known of it.

use std::path::Path;

use super::context::{Context, Spot, context};
use super::describe::{CallHelp, defined, shown};
use super::forms;
use super::members::{Member, MemberKind};
use super::names::{Kind, Meaning};
use super::repair::{MARK, repaired};
use super::resolve::TYPES;
use super::texts::{Module, Texts};
use super::{Analysis, analyse, home_of};
use crate::ir::Type;
use crate::session::embedded::STDLIB;
use crate::syntax::ast::UseSource;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    Variable,
    Parameter,
    Function,
    Type,
    Axis,
    Module,
    Field,
    Site,
    Keyword,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    pub label: String,
    pub sort: Sort,
    /// A type or a signature.
    pub detail: Option<String>,
    pub about: Option<String>,
    /// How near the name is: what is nearer comes first.
    pub rank: u8,
}

/// The place where the word starts, and what it can become. What the word begins with is not looked at: editors do.
pub fn complete(texts: &Texts, path: Option<&Path>, text: &str, offset: usize) -> (usize, Vec<Candidate>) {
    let context = context(text, offset);
    let mut found = match &context.spot {
        Spot::Nothing => Vec::new(),
        Spot::Module(before) => modules(before),
        Spot::FromModule(name) => {
            let module = texts.module(&home_of(path), &UseSource::Module(name.clone()));
            module.map_or(Vec::new(), |module| of_module(&module))
        }
        spot => {
            let whole = repaired(text, context.word);
            let analysis = analyse(texts, path, whole.as_deref().unwrap_or(text));
            at_spot(&analysis, spot, &context)
        }
    };
    found.retain(|candidate| candidate.label != MARK);
    // The declaration that is being written shows nothing of how it was made whole.
    for candidate in &mut found {
        candidate.detail.take_if(|detail| detail.contains(MARK));
    }
    (context.word, found)
}

/// What is known of the call around the cursor.
pub fn call_help(texts: &Texts, path: Option<&Path>, text: &str, offset: usize) -> Option<CallHelp> {
    let context = context(text, offset);
    let call = context.call.as_ref()?;
    let whole = repaired(text, context.word);
    let analysis = analyse(texts, path, whole.as_deref().unwrap_or(text));
    let member = analysis.function_at(call.callee as u32)?;
    let named = call.named.as_ref().and_then(|name| member.parameters.iter().position(|(known, _)| known == name));
    let parameters = member.parameters.iter().map(|(_, written)| written.clone()).collect();
    Some(CallHelp { signature: member.signature, about: member.doc, parameters, active: named.unwrap_or(call.before) })
}

fn at_spot(analysis: &Analysis, spot: &Spot, context: &Context) -> Vec<Candidate> {
    match spot {
        Spot::Field => after_dot(analysis),
        Spot::Axis => axes(analysis, context.word),
        Spot::Site => sites(analysis, context.word),
        _ => {
            let mut found = arguments(analysis, context);
            if *spot == Spot::Typed {
                found.extend(types(analysis, context.word));
            }
            if matches!(spot, Spot::Typed | Spot::Range) {
                found.extend(axes(analysis, context.word));
            }
            found.extend(values(analysis, context.word));
            let mut seen = std::collections::HashSet::new();
            found.retain(|candidate| seen.insert(candidate.label.clone()));
            found
        }
    }
}

fn candidate(label: &str, sort: Sort, rank: u8) -> Candidate {
    Candidate { label: label.to_string(), sort, detail: None, about: None, rank }
}

/// The paths of the library that go on from what is written.
fn modules(before: &str) -> Vec<Candidate> {
    if before.is_empty() {
        return vec![candidate("std", Sort::Module, 0)];
    }
    let Some(path) = before.strip_prefix("std.") else { return Vec::new() };
    let named = STDLIB.iter().filter_map(|(name, text)| {
        let rest = name.strip_prefix(path).filter(|rest| !rest.is_empty())?;
        let about = text.lines().next().and_then(|line| line.strip_prefix("## ")).map(str::to_string);
        Some(Candidate { about, ..candidate(rest, Sort::Module, 0) })
    });
    named.collect()
}

fn of_module(module: &Module) -> Vec<Candidate> {
    module.visible().map(|member| of_member(member, 0)).collect()
}

fn of_member(member: &Member, rank: u8) -> Candidate {
    let sort = match member.kind {
        MemberKind::Function => Sort::Function,
        MemberKind::Type => Sort::Type,
        MemberKind::Axis => Sort::Axis,
        MemberKind::Value => Sort::Variable,
    };
    let detail = Some(member.signature.clone());
    Candidate { detail, about: member.doc.clone(), ..candidate(&member.name, sort, rank) }
}

/// What stands before the dot is a record, or a module.
fn after_dot(analysis: &Analysis) -> Vec<Candidate> {
    let marked = analysis.names.uses.iter().find(|used| used.name == MARK);
    match marked.map(|used| &used.meaning) {
        Some(Meaning::Member { module, .. }) => {
            let module = analysis.names.modules.get(*module);
            let all = module.map_or(Vec::new(), |module| of_module(module));
            // Axes of a module have no name with a dot.
            all.into_iter().filter(|member| member.sort != Sort::Axis).collect()
        }
        Some(Meaning::Field { of }) => match analysis.type_of(*of) {
            Some(Type::Record(fields)) => fields
                .iter()
                .map(|(name, ty)| Candidate { detail: Some(shown(ty)), ..candidate(name, Sort::Field, 0) })
                .collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn axes(analysis: &Analysis, offset: usize) -> Vec<Candidate> {
    let names = &analysis.names;
    let mut found = Vec::new();
    for place in names.visible(offset as u32) {
        let definition = &names.definitions[place];
        let imported_axis = || {
            let member = names.behind.get(&place).and_then(|(module, name)| {
                names.modules.get(*module)?.find(name.as_deref()?).map(|member| member.kind)
            });
            member == Some(MemberKind::Axis)
        };
        let axis = match definition.kind {
            Kind::Axis | Kind::AxisParameter => true,
            Kind::Imported => imported_axis(),
            _ => false,
        };
        if axis {
            let rank = u8::from(definition.top);
            let detail = defined(analysis, place).map(|told| told.code);
            found.push(Candidate { detail, ..candidate(&definition.name, Sort::Axis, rank) });
        }
    }
    let shared = names.modules.get(1).map_or(Vec::new(), |module| of_module(module));
    found.extend(shared.into_iter().map(|axis| Candidate { rank: 2, ..axis }));
    let mut seen = std::collections::HashSet::new();
    found.retain(|axis| seen.insert(axis.label.clone()));
    found
}

/// The sites of the model that is captured there; of a `with`, those of every model that the text captures.
fn sites(analysis: &Analysis, offset: usize) -> Vec<Candidate> {
    let at = offset as u32;
    let around = analysis.notes.sites.iter().filter(|(span, _)| span.start <= at && at <= span.end);
    let innermost = around.min_by_key(|(span, _)| span.end - span.start);
    let all: Vec<_> = match innermost {
        Some(one) => vec![one],
        None => analysis.notes.sites.iter().collect(),
    };
    let mut found: Vec<Candidate> = Vec::new();
    for site in all.into_iter().flat_map(|(_, sites)| sites) {
        if !found.iter().any(|known| known.label == site.name) {
            let loops: Vec<String> = site.loops.iter().map(|axis| axis.to_string()).collect();
            let about = (!loops.is_empty()).then(|| format!("in a loop over {}", loops.join(", ")));
            found.push(Candidate { detail: Some(shown(&site.ty)), about, ..candidate(&site.name, Sort::Site, 0) });
        }
    }
    found
}

/// The parameters that an argument can name.
fn arguments(analysis: &Analysis, context: &Context) -> Vec<Candidate> {
    let Some(call) = context.call.as_ref().filter(|call| call.named.is_none()) else { return Vec::new() };
    let Some(member) = analysis.function_at(call.callee as u32) else { return Vec::new() };
    let rest = member.parameters.iter().skip(call.before);
    rest.map(|(name, written)| Candidate {
        detail: Some(written.clone()),
        ..candidate(&format!("{name}:"), Sort::Parameter, 0)
    })
    .collect()
}

fn values(analysis: &Analysis, offset: usize) -> Vec<Candidate> {
    let names = &analysis.names;
    let mut found = Vec::new();
    for place in names.visible(offset as u32) {
        let definition = &names.definitions[place];
        let sort = match definition.kind {
            Kind::Function => Sort::Function,
            Kind::Module => Sort::Module,
            Kind::Parameter => Sort::Parameter,
            Kind::Variable | Kind::Input | Kind::Fit | Kind::Site | Kind::ElementParameter => Sort::Variable,
            Kind::Imported => {
                let member = names
                    .behind
                    .get(&place)
                    .and_then(|(module, name)| names.modules.get(*module)?.find(name.as_deref()?));
                found
                    .extend(member.filter(|member| member.kind != MemberKind::Axis).map(|member| of_member(member, 1)));
                continue;
            }
            Kind::Type | Kind::Axis | Kind::AxisParameter => continue,
        };
        let told = defined(analysis, place);
        let detail = told.as_ref().map(|told| told.code.clone());
        let about = told.and_then(|told| told.about).filter(|_| sort != Sort::Parameter);
        found.push(Candidate { detail, about, ..candidate(&definition.name, sort, u8::from(definition.top)) });
    }
    let core = names.modules.first().map_or(Vec::new(), |module| of_module(module));
    found.extend(core.into_iter().map(|member| Candidate { rank: 2, ..member }));
    found.extend(forms::FORMS.iter().map(|(name, written, about)| Candidate {
        detail: Some(written.to_string()),
        about: Some(about.to_string()),
        ..candidate(name, Sort::Function, 2)
    }));
    found.extend(
        forms::KEYWORDS
            .iter()
            .map(|(name, about)| Candidate { about: Some(about.to_string()), ..candidate(name, Sort::Keyword, 3) }),
    );
    found
}

fn types(analysis: &Analysis, offset: usize) -> Vec<Candidate> {
    let names = &analysis.names;
    let own = names.visible(offset as u32).into_iter().filter(|&place| names.definitions[place].kind == Kind::Type);
    let mut found: Vec<Candidate> = own
        .map(|place| Candidate {
            detail: defined(analysis, place).map(|told| told.code),
            ..candidate(&names.definitions[place].name, Sort::Type, 1)
        })
        .collect();
    found.extend(TYPES.iter().map(|name| candidate(name, Sort::Type, 2)));
    found
}
