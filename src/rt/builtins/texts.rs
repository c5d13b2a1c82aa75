//! Text as tokens and back: single texts, lists of them, and the documents of a file as one stream.

use super::super::aligned::Aligned;
use super::super::corpus::{self, Document, Plan, Wanted};
use super::super::ctx::Ctx;
use super::super::error::Result;
use super::super::files::FileHandle;
use super::super::table::Builtin;
use super::super::tensor::Tensor;
use super::super::tokens::Tokenizer;
use super::super::value::{Value, room};
use super::{Args, one, text};
use crate::base::axis::Axis;
use crate::base::suggest::closest;

pub const TABLE: &[Builtin] = &[
    Builtin { name: "encode", run: encode },
    Builtin { name: "decode", run: decode },
    Builtin { name: "token_id", run: token_id },
    Builtin { name: "token_count", run: token_count },
    Builtin { name: "token_texts", run: token_texts },
    Builtin { name: "encode_all", run: encode_all },
    Builtin { name: "read_texts", run: read_texts },
    Builtin { name: "read_ids", run: read_ids },
    Builtin { name: "as_index", run: as_index },
    Builtin { name: "to_list", run: to_list },
    Builtin { name: "search_sorted", run: search_sorted },
];

/// encode(; file, str) -> list of ids
fn encode(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("encode", values, 2)?;
    let ids = args.file(0)?.tokenizer()?.encode(args.str(1)?)?;
    Ok(vec![Value::list(ids.into_iter().map(|id| Value::Int(id.into())).collect())?])
}

/// decode(; file, list of ids) -> str
fn decode(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("decode", values, 2)?;
    let tokenizer = args.file(0)?.tokenizer()?;
    let mut ids = Vec::with_capacity(args.list(1)?.len());
    for item in args.list(1)? {
        let Value::Int(id) = item else { return Err(args.wrong(1, "a list of ints")) };
        ids.push(u32::try_from(*id).map_err(|_| tokenizer.outside(*id))?);
    }
    text(&tokenizer.decode(&ids)?)
}

/// token_id(; file, name) -> int
fn token_id(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("token_id", values, 2)?;
    one(id_of(args.file(0)?, args.str(1)?)? as i64)
}

/// token_texts(; file) -> list of str
fn token_texts(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("token_texts", values, 1)?;
    let tokenizer = args.file(0)?.tokenizer()?;
    // By itself a token may be half a letter, and `decode` drops the blank in front of a first one.
    let word = |id| match tokenizer.piece(id) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => tokenizer.name(id).unwrap_or_default(),
    };
    Ok(vec![Value::list((0..tokenizer.size() as u32).map(|id| Value::Str(word(id).into())).collect())?])
}

/// The id of a token by name; special tokens are the likeliest to be meant.
fn id_of(file: &FileHandle, name: &str) -> Result<u32> {
    let tokenizer = file.tokenizer()?;
    tokenizer.id(name).ok_or_else(|| {
        let special = tokenizer.special();
        let error = file.fault(format!("has no token `{}`", name.escape_debug()));
        let error = match &special[..] {
            [] => error,
            names => error.note("special", names.iter().take(8).cloned().collect::<Vec<_>>().join(" ")),
        };
        match closest(name, special.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// token_count(; file) -> int
fn token_count(_: &mut Ctx, _: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("token_count", values, 1)?;
    one(args.file(0)?.tokenizer().map(Tokenizer::size)? as i64)
}

/// A token in front of each document; a negative number is none.
fn start_of(args: &Args, number: usize, tokenizer: Option<&Tokenizer>) -> Result<Option<i64>> {
    let start = args.int(number)?;
    match tokenizer.map(Tokenizer::size) {
        Some(count) if start >= count as i64 => {
            Err(args.senseless(format!("start token {start} is none of the tokenizer's {count}")))
        }
        _ => Ok(Some(start).filter(|&start| start >= 0)),
    }
}

/// encode_all(index, stream, document; file, list of str, start) -> stream, where each text begins
fn encode_all(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("encode_all", values, 3)?;
    let [_, stream, document] = args.axes(axes)?;
    let file = args.file(0)?;
    let texts = args.list(1)?.iter().map(|item| match item {
        Value::Str(text) => Ok(Document::Text(text.to_string())),
        _ => Err(args.wrong(1, "a list of texts")),
    });
    let tokenizer = Some(file.tokenizer()?);
    let start = start_of(&args, 2, tokenizer)?;
    let plan = Plan { tokenizer, start, stream, document, label: &file.name, bytes: 0 };
    let made = corpus::flat(ctx, texts, &plan)?;
    Ok(vec![made.tokens, made.begins])
}

/// read_texts(index, stream, document; file, tokenizer, column, separator, start) -> stream, where each document begins
fn read_texts(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("read_texts", values, 5)?;
    let wanted = Wanted { column: args.str(2)?, separator: args.str(3)?, ids: false };
    let tokenizer = Some(args.file(1)?.tokenizer()?);
    read(ctx, axes, &args, wanted, tokenizer, start_of(&args, 4, tokenizer)?)
}

/// read_ids(index, stream, document; file, column, start) -> stream, where each document begins
fn read_ids(ctx: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("read_ids", values, 3)?;
    let wanted = Wanted { column: args.str(1)?, separator: "", ids: true };
    read(ctx, axes, &args, wanted, None, start_of(&args, 2, None)?)
}

fn read(
    ctx: &mut Ctx,
    axes: &[Axis],
    args: &Args,
    wanted: Wanted,
    tokenizer: Option<&Tokenizer>,
    start: Option<i64>,
) -> Result<Vec<Value>> {
    let [_, stream, document] = args.axes(axes)?;
    let file = args.file(0)?;
    let plan = Plan { tokenizer, start, stream, document, label: &file.name, bytes: file.length };
    let made = corpus::flat(ctx, corpus::documents(file, wanted)?, &plan)?;
    Ok(vec![made.tokens, made.begins])
}

/// as_index(axis; i) -> i as an index of an axis whose length is not known here; the first who uses it checks it
fn as_index(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("as_index", values, 1)?;
    let [axis] = args.axes(axes)?;
    match args.int(0)? {
        negative if negative < 0 => Err(args.senseless(format!("{negative} is no index of `{axis}`"))),
        index => one(index),
    }
}

/// to_list(axis; x) -> list of ints
fn to_list(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("to_list", values, 1)?;
    let ordered = args.tensor(0)?.in_order(&args.axes::<1>(axes)?)?;
    let items = ordered.as_dense::<i64>().ok_or_else(|| args.wrong(0, "a tensor of ints"))?;
    room(items.len() * size_of::<Value>(), "a list")?;
    Ok(vec![Value::list(items.iter().copied().map(Value::Int).collect())?])
}

/// search_sorted(axis; sorted, x) -> for each x how many of the sorted are not above it
fn search_sorted(_: &mut Ctx, axes: &[Axis], values: &[Value]) -> Result<Vec<Value>> {
    let args = Args::exactly("search_sorted", values, 2)?;
    let sorted = args.tensor(0)?.in_order(&args.axes::<1>(axes)?)?;
    let sorted = sorted.as_dense::<i64>().ok_or_else(|| args.wrong(0, "a tensor of ints"))?;
    if sorted.windows(2).any(|pair| pair[0] > pair[1]) {
        return Err(args.senseless("was given numbers that are not in ascending order"));
    }
    let below = |x: i64| sorted.partition_point(|&edge| edge <= x) as i64;
    match args.value(1) {
        Value::Int(x) => one(below(*x)),
        Value::Tensor(x) => {
            let order: Vec<Axis> = x.dims.iter().map(|dim| dim.axis).collect();
            let dense = x.in_order(&order)?;
            let places = dense.as_dense::<i64>().ok_or_else(|| args.wrong(1, "a tensor of ints"))?;
            let found: Vec<i64> = places.iter().map(|&place| below(place)).collect();
            one(Tensor::dense_over(&dense.dims, Aligned::from_slice(&found))?)
        }
        _ => Err(args.wrong(1, "an int")),
    }
}
