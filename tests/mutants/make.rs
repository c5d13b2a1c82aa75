//! Programs with one wrong axis: all that can be made from a program, as texts.

use super::sites::{List, Place, Site, Walk, walk};
use locus::base::span::{FileId, Span};
use locus::syntax::ast::{ItemKind, Program};
use locus::syntax::parse::parse_program;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Another,
    Dropped,
    Swapped,
}

impl Fault {
    pub const ALL: [Fault; 3] = [Fault::Another, Fault::Dropped, Fault::Swapped];

    pub fn name(self) -> &'static str {
        match self {
            Fault::Another => "another axis",
            Fault::Dropped => "an axis dropped",
            Fault::Swapped => "two axes swapped",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Mutant {
    pub fault: Fault,
    /// Where it was made, as the table of survivors names it.
    pub place: String,
    pub text: String,
    /// The changed line before and after.
    pub line: usize,
    pub before: String,
    pub after: String,
}

/// Replacements of parts of the text; later ones first.
type Edits = Vec<(Span, String)>;

/// Every mutant of a program, by fault and then by site: the draw is even over sites, not over candidates.
pub fn all(text: &str) -> Vec<(Fault, Vec<Vec<Mutant>>)> {
    let (program, faults) = parse_program(FileId(0), text);
    assert!(faults.is_empty(), "the program itself must parse");
    let found = walk(&program);
    let axes = axes_of(&program, &found);
    let by_site = |make: &dyn Fn() -> Vec<Vec<Mutant>>| make().into_iter().filter(|group| !group.is_empty()).collect();
    vec![
        (Fault::Another, by_site(&|| found.sites.iter().map(|site| changed(text, site, &axes, &found)).collect())),
        (Fault::Dropped, by_site(&|| found.lists.iter().map(|list| dropped(text, list, &found)).collect())),
        (Fault::Swapped, by_site(&|| found.lists.iter().map(|list| swapped(text, list, &found)).collect())),
    ]
}

/// The axes that a file declares or uses.
fn axes_of(program: &Program, found: &Walk) -> Vec<String> {
    let mut axes: Vec<String> = Vec::new();
    for item in &program.items {
        if let ItemKind::Axis(decls) = &item.kind {
            axes.extend(decls.iter().map(|decl| decl.name.name.clone()));
        }
    }
    let used = found.sites.iter().filter(|site| !site.generics.contains(&site.name) && !site.name.is_empty());
    axes.extend(used.map(|site| site.name.clone()));
    axes.sort();
    axes.dedup();
    axes
}

fn changed(text: &str, site: &Site, axes: &[String], found: &Walk) -> Vec<Mutant> {
    assert_eq!(&text[site.span.start as usize..site.span.end as usize], site.name, "a span of the tree is wrong");
    let candidates = axes.iter().chain(&site.generics).filter(|name| **name != site.name);
    let mut known: Vec<&String> = candidates.collect();
    known.sort();
    known.dedup();
    known
        .into_iter()
        .map(|name| mutant(text, Fault::Another, site.place, found, vec![(site.span, name.clone())]))
        .collect()
}

fn dropped(text: &str, list: &List, found: &Walk) -> Vec<Mutant> {
    let removed = |place: usize| -> Edits {
        let span = match (list.parts.len(), place) {
            (1, _) => list.whole,
            (_, 0) => Span { end: list.parts[1].start, ..list.parts[0] },
            (_, _) => Span { start: list.parts[place - 1].end, ..list.parts[place] },
        };
        vec![(span, String::new())]
    };
    (0..list.parts.len()).map(|place| mutant(text, Fault::Dropped, list.place, found, removed(place))).collect()
}

fn swapped(text: &str, list: &List, found: &Walk) -> Vec<Mutant> {
    let spelled = |span: Span| text[span.start as usize..span.end as usize].to_string();
    let mut out = Vec::new();
    for (place, &first) in list.ordered.iter().enumerate() {
        for &second in &list.ordered[place + 1..] {
            let edits = vec![(second, spelled(first)), (first, spelled(second))];
            out.push(mutant(text, Fault::Swapped, list.place, found, edits));
        }
    }
    out
}

fn mutant(text: &str, fault: Fault, place: Place, found: &Walk, edits: Edits) -> Mutant {
    let mut after = text.to_string();
    let mut start = text.len();
    for (span, new) in edits {
        after.replace_range(span.start as usize..span.end as usize, &new);
        start = start.min(span.start as usize);
    }
    let line = text[..start].matches('\n').count();
    let nth = |text: &str| text.lines().nth(line).unwrap_or("").trim().to_string();
    let place = describe(place, found);
    Mutant { fault, place, line: line + 1, before: nth(text), after: nth(&after), text: after }
}

fn describe(place: Place, found: &Walk) -> String {
    match place {
        Place::Type => "a type".to_string(),
        Place::Element => "an index type".to_string(),
        Place::Argument(number) => format!("an axis of `{}`", found.functions[number]),
        Place::Index => "an index".to_string(),
        Place::From => "what is renamed".to_string(),
        Place::To => "a new name".to_string(),
        Place::Merged => "a merge".to_string(),
        Place::Part => "a split".to_string(),
        Place::Contracted => "a contraction".to_string(),
        Place::Binder => "a comprehension".to_string(),
        Place::Loop => "a loop".to_string(),
        Place::Over => "`over` of a fit".to_string(),
        Place::Plot => "an axis of a plot".to_string(),
    }
}
