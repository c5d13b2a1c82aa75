//! What a name is: its type, signature and documentation; and where it is declared.

use std::rc::Rc;

use super::Analysis;
use super::forms;
use super::members::{Member, slice};
use super::names::{Definition, Kind, Meaning, Occurrence};
use super::texts::Module;
use crate::base::span::Span;
use crate::ir::Type;

/// An answer about the name at a place.
#[derive(Debug, PartialEq)]
pub struct Description {
    pub span: Span,
    /// In the language: `let x: f32[pos]`, a signature.
    pub code: String,
    /// Markdown.
    pub about: Option<String>,
    /// `std.sae`, where it is not this text's own.
    pub from: Option<String>,
}

/// Where something is declared.
pub enum Home {
    Here(Span),
    Elsewhere(Rc<Module>, Span),
}

/// A type as people read it; functions have none that could be written.
pub fn shown(ty: &Type) -> String {
    ty.to_string().replace("fn() -> nothing", "fn")
}

pub fn describe(analysis: &Analysis, offset: u32) -> Option<Description> {
    let Some(found) = analysis.names.at(offset) else { return word(analysis, offset) };
    let span = analysis.names.span(found);
    if let Occurrence::Use(place) = found
        && let Some(told) = used_only(analysis, place)
    {
        return Some(told);
    }
    if let Some((module, name)) = analysis.names.member(found) {
        let member = module.find(name)?;
        let from = Some(module.name.clone());
        return Some(Description { span, code: member.signature.clone(), about: member.doc.clone(), from });
    }
    let place = analysis.names.definition(found)?;
    let told = defined(analysis, place);
    // At a use the type is that of the use: a variable that is assigned to keeps it, a parameter may have another each time.
    Some(Description { span, ..told? })
}

/// What has no definition that could be pointed at.
fn used_only(analysis: &Analysis, place: usize) -> Option<Description> {
    let used = analysis.names.uses.get(place)?;
    let plain = |code: String, about: Option<String>| Description { span: used.span, code, about, from: None };
    match &used.meaning {
        Meaning::Field { of } => {
            let ty = analysis.type_at(of.start, used.span.end)?;
            Some(plain(format!("{}: {}", used.name, shown(ty)), None))
        }
        Meaning::Word => {
            let (written, about) = forms::form(&used.name)?;
            Some(plain(written.to_string(), Some(about.to_string())))
        }
        Meaning::MemberParameter { module, function } => {
            let member = analysis.names.modules.get(*module)?.find(function)?;
            let parameter = member.parameters.iter().find(|(name, _)| *name == used.name)?;
            Some(plain(parameter.1.clone(), Some(format!("a parameter of `{function}`"))))
        }
        Meaning::Site => {
            let site = analysis.site(used.span, &used.name)?;
            let loops: Vec<String> = site.loops.iter().map(|axis| format!("`{axis}`")).collect();
            let about = (!loops.is_empty()).then(|| format!("in a loop over {}", loops.join(", ")));
            Some(plain(format!("site {}: {}", site.name, shown(&site.ty)), about))
        }
        Meaning::Here(_) | Meaning::Member { .. } | Meaning::Unknown => None,
    }
}

/// A definition of this text.
pub fn defined(analysis: &Analysis, place: usize) -> Option<Description> {
    let found: &Definition = analysis.names.definitions.get(place)?;
    let declared = || analysis.declared(found.span).cloned();
    let plain = |code: String, about: Option<String>| Description { span: found.span, code, about, from: None };
    let typed = |word: &str| match analysis.type_of(found.span) {
        Some(ty) => format!("{word}{}: {}", found.name, shown(ty)),
        None => format!("{word}{}", found.name),
    };
    Some(match found.kind {
        Kind::Function | Kind::Type | Kind::Axis => {
            let member: Member = declared()?;
            plain(member.signature, member.doc)
        }
        Kind::Variable if found.mutable => plain(typed("let mut "), declared().and_then(|member| member.doc)),
        Kind::Variable => plain(typed("let "), declared().and_then(|member| member.doc)),
        Kind::Parameter => plain(typed(""), Some("a parameter".to_string())),
        Kind::Input => plain(declared()?.signature, declared()?.doc),
        Kind::Fit => plain(typed("fit "), declared().and_then(|member| member.doc)),
        Kind::Site => plain(typed("site "), None),
        Kind::AxisParameter | Kind::ElementParameter => {
            plain(format!("<{}>", found.name), Some(format!("an {}", found.kind.word())))
        }
        Kind::Module => {
            let module = analysis.names.module(place)?;
            plain(format!("use {}", module.name), module.doc.clone())
        }
        Kind::Imported => {
            let (module, name) = analysis.names.member(Occurrence::Definition(place))?;
            let member = module.find(name)?;
            Description { from: Some(module.name.clone()), ..plain(member.signature.clone(), member.doc.clone()) }
        }
    })
}

/// A word of the grammar, outside of comments and texts.
fn word(analysis: &Analysis, offset: u32) -> Option<Description> {
    let words = crate::syntax::words(&analysis.text);
    let at = offset as usize;
    let (start, word) = words.into_iter().find(|(start, word)| *start <= at && at <= start + word.len())?;
    let about = forms::keyword(word)?;
    let span = Span::new(analysis.found.file, start, start + word.len());
    Some(Description { span, code: word.to_string(), about: Some(about.to_string()), from: None })
}

/// Where the name at a place is declared.
pub fn home(analysis: &Analysis, offset: u32) -> Option<Home> {
    let found = analysis.names.at(offset)?;
    if let Some((module, name)) = analysis.names.member(found) {
        return Some(Home::Elsewhere(module.clone(), module.find(name)?.span));
    }
    if let Some(place) = analysis.names.definition(found) {
        // The name of a module leads to the module.
        if let Some(module) = analysis.names.module(place) {
            return Some(Home::Elsewhere(module.clone(), Span::default()));
        }
        return Some(Home::Here(analysis.names.definitions[place].span));
    }
    let Occurrence::Use(place) = found else { return None };
    let used = &analysis.names.uses[place];
    let own_site = |found: &&Definition| found.kind == Kind::Site && found.name == used.name;
    match used.meaning {
        Meaning::Site => analysis.names.definitions.iter().find(own_site).map(|site| Home::Here(site.span)),
        _ => None,
    }
}

/// The call around a place: the signature of what is called, its parameters, and which of them stands there.
#[derive(Debug, PartialEq)]
pub struct CallHelp {
    pub signature: String,
    pub about: Option<String>,
    pub parameters: Vec<String>,
    pub active: usize,
}

impl Analysis {
    /// What the file declares under the name at a place.
    pub(super) fn declared(&self, name: Span) -> Option<&Member> {
        self.members.iter().find(|member| member.span == name)
    }

    pub(super) fn type_at(&self, start: u32, end: u32) -> Option<&Type> {
        self.notes.types.get(&(start, end)).filter(|ty| **ty != Type::Error)
    }

    pub(super) fn type_of(&self, span: Span) -> Option<&Type> {
        self.type_at(span.start, span.end)
    }

    /// A site of the model that the innermost `capture` around a place runs.
    pub(super) fn site(&self, at: Span, name: &str) -> Option<&crate::check::notes::Site> {
        let around = |span: &Span| span.start <= at.start && at.end <= span.end;
        let captures = self.notes.sites.iter().filter(|(span, _)| around(span));
        let (_, sites) = captures.min_by_key(|(span, _)| span.end - span.start)?;
        let stem = name.rsplit('.').next().unwrap_or(name);
        let stem = stem.strip_prefix("hook_").unwrap_or(stem);
        sites.iter().find(|site| site.name == name || site.name == stem)
    }

    /// The function that a name stands for, as others see it.
    pub(super) fn function_at(&self, offset: u32) -> Option<Member> {
        let found = self.names.at(offset)?;
        if let Some((module, name)) = self.names.member(found) {
            return module.find(name).cloned();
        }
        let place = self.names.definition(found)?;
        let declared = self.declared(self.names.definitions[place].span)?;
        if !declared.parameters.is_empty() {
            return Some(declared.clone());
        }
        // A lambda that has a name.
        let places = self.names.parameters.get(&place)?;
        let parameters: Vec<(String, String)> = places
            .iter()
            .map(|&place| &self.names.definitions[place])
            .map(|found| (found.name.clone(), slice(&self.text, found.span).to_string()))
            .collect();
        let list: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        let name = self.names.definitions[place].name.clone();
        Some(Member { signature: format!("{name}({})", list.join(", ")), parameters, ..declared.clone() })
    }
}
