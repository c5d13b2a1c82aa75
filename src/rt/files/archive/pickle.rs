//! A reader of pickles that can make plain containers, scalars and descriptions of tensors, and nothing else. A pickle
//! is a program; this one runs it without any power: what it names is looked up in a closed list, and whatever is
//! not there is refused by its name before anything is done with it.
//!
//! Values stand in one list and refer to each other by number, so neither recursion nor cycles can be built of them.
//! Operations are those of `pickletools` of Python, protocols 2 to 5, as PyTorch writes them.

use crate::rt::guard::quoted;
use std::collections::HashMap;

/// More values than the largest state dictionaries have.
const MAX_NODES: usize = 1_000_000;

/// The place of a value in the list.
pub type Id = u32;

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// A type of storage: the name of its elements' type.
    Storage(&'static str),
    /// An element type such as `torch.float32`.
    Dtype(&'static str),
    RebuildTensor,
    RebuildParameter,
    OrderedDict,
    Size,
    Device,
}

const KNOWN: &[(&str, Known)] = &[
    ("torch.DoubleStorage", Known::Storage("float64")),
    ("torch.FloatStorage", Known::Storage("float32")),
    ("torch.HalfStorage", Known::Storage("float16")),
    ("torch.BFloat16Storage", Known::Storage("bfloat16")),
    ("torch.LongStorage", Known::Storage("int64")),
    ("torch.IntStorage", Known::Storage("int32")),
    ("torch.ShortStorage", Known::Storage("int16")),
    ("torch.CharStorage", Known::Storage("int8")),
    ("torch.ByteStorage", Known::Storage("uint8")),
    ("torch.BoolStorage", Known::Storage("bool")),
    ("torch.float64", Known::Dtype("float64")),
    ("torch.float32", Known::Dtype("float32")),
    ("torch.float16", Known::Dtype("float16")),
    ("torch.bfloat16", Known::Dtype("bfloat16")),
    ("torch.int64", Known::Dtype("int64")),
    ("torch.int32", Known::Dtype("int32")),
    ("torch.int16", Known::Dtype("int16")),
    ("torch.int8", Known::Dtype("int8")),
    ("torch.uint8", Known::Dtype("uint8")),
    ("torch.bool", Known::Dtype("bool")),
    ("torch._utils._rebuild_tensor_v2", Known::RebuildTensor),
    ("torch._utils._rebuild_parameter", Known::RebuildParameter),
    ("collections.OrderedDict", Known::OrderedDict),
    ("torch.Size", Known::Size),
    ("torch.device", Known::Device),
];

/// A value that a pickle made.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Bytes are let through and never looked at.
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Known(Known),
    Storage(Box<Storage>),
    Tensor(Box<Tensor>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    pub stored: &'static str,
    /// The name of the member that holds its numbers.
    pub key: String,
    pub count: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub storage: Storage,
    pub offset: i64,
    pub shape: Vec<i64>,
    pub steps: Vec<i64>,
}

/// The values of a pickle, and which of them it is.
#[derive(Debug)]
pub struct Values {
    nodes: Vec<Node>,
    pub root: Id,
}

impl Values {
    pub fn get(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }
}

/// Reads a pickle; the error says what is wrong, without the file.
pub fn read(bytes: &[u8]) -> Result<Values, String> {
    let mut machine =
        Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let code = machine.byte()?;
        if code == b'.' {
            let root = machine.pop()?;
            return Ok(Values { nodes: machine.nodes, root });
        }
        machine.step(code)?;
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// How long the stack was at each open mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

type Step<T = ()> = Result<T, String>;

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let found = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        self.at = self.at.saturating_add(count);
        found.ok_or_else(|| "has a pickle that ends too early".to_string())
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    /// A whole number of up to 8 bytes, the lowest first.
    fn whole(&mut self, bytes: usize) -> Step<u64> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | byte as u64))
    }

    fn text(&mut self, length: u64) -> Step<Node> {
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        let text = std::str::from_utf8(bytes).map_err(|_| "has a pickle with a text that is not UTF-8".to_string())?;
        Ok(Node::Text(text.to_string()))
    }

    fn skipped(&mut self, length: u64) -> Step<Node> {
        self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Node::Bytes)
    }

    fn push(&mut self, node: Node) -> Step {
        if self.nodes.len() >= MAX_NODES {
            return Err(format!("has a pickle of more than {MAX_NODES} values"));
        }
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
        Ok(())
    }

    /// What lies above an open mark stays out of reach.
    fn pop(&mut self) -> Step<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("has a pickle that takes more than it has".to_string());
        }
        self.stack.pop().ok_or_else(|| "has a pickle that takes more than it has".to_string())
    }

    fn popped<const N: usize>(&mut self) -> Step<Vec<Id>> {
        let mut items = Vec::with_capacity(N);
        for _ in 0..N {
            items.push(self.pop()?);
        }
        items.reverse();
        Ok(items)
    }

    /// All above the last mark.
    fn marked(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| "has a pickle without the mark that it needs".to_string())?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn top(&mut self) -> Step<&mut Node> {
        let id = self.stack.last().copied().unwrap_or(Id::MAX);
        self.nodes.get_mut(id as usize).ok_or_else(|| "has a pickle that takes more than it has".to_string())
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&Node::None)
    }

    fn remember(&mut self, slot: u32) -> Step {
        let id = *self.stack.last().ok_or_else(|| "has a pickle that takes more than it has".to_string())?;
        self.memo.insert(slot, id);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Step {
        let id = self.memo.get(&slot).ok_or_else(|| "has a pickle that recalls what it never kept".to_string())?;
        self.stack.push(*id);
        Ok(())
    }

    fn step(&mut self, code: u8) -> Step {
        match code {
            0x80 => self.protocol(),
            0x95 => self.whole(8).map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' | b'K' | b'M' | 0x8a | b'G' => self.number(code),
            b'X' | 0x8c | 0x8d | b'U' | b'T' | b'C' | b'B' | 0x8e => self.string(code),
            b')' => self.push(Node::Tuple(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b't' | 0x85 | 0x86 | 0x87 => self.tuple(code),
            b'a' | b'e' | b's' | b'u' => self.put(code),
            b'q' | b'r' | 0x94 => {
                let slot = match code {
                    b'q' => self.whole(1)?,
                    b'r' => self.whole(4)?,
                    _ => self.memo.len() as u64,
                };
                self.remember(slot as u32)
            }
            b'h' => self.whole(1).and_then(|slot| self.recall(slot as u32)),
            b'j' => self.whole(4).and_then(|slot| self.recall(slot as u32)),
            b'c' | 0x93 => self.name(code),
            b'Q' => self.storage(),
            b'R' => self.call(),
            b'b' => self.state(),
            other => Err(format!("has a pickle with operation 0x{other:02x}, which is not among those that are read")),
        }
    }

    fn protocol(&mut self) -> Step {
        match self.byte()? {
            2..=5 => Ok(()),
            other => Err(format!("has a pickle of protocol {other}; 2 to 5 are read")),
        }
    }

    fn number(&mut self, code: u8) -> Step {
        let node = match code {
            b'J' => Node::Int(self.whole(4)? as u32 as i32 as i64),
            b'K' => Node::Int(self.whole(1)? as i64),
            b'M' => Node::Int(self.whole(2)? as i64),
            b'G' => Node::Float(f64::from_bits(self.whole(8)?.swap_bytes())),
            _ => {
                let length = self.byte()? as usize;
                if length > 8 {
                    return Err("has a pickle with a number beyond 64 bits".to_string());
                }
                let raw = self.whole(length)?;
                // The highest bit of what is there is the sign.
                let unused = 64 - 8 * length as u32;
                Node::Int(if length == 0 { 0 } else { (raw << unused) as i64 >> unused })
            }
        };
        self.push(node)
    }

    fn string(&mut self, code: u8) -> Step {
        let length = match code {
            0x8c | b'U' | b'C' => self.whole(1)?,
            0x8d | 0x8e => self.whole(8)?,
            _ => self.whole(4)?,
        };
        let node = if matches!(code, b'C' | b'B' | 0x8e) { self.skipped(length)? } else { self.text(length)? };
        self.push(node)
    }

    fn tuple(&mut self, code: u8) -> Step {
        let items = match code {
            0x85 => self.popped::<1>()?,
            0x86 => self.popped::<2>()?,
            0x87 => self.popped::<3>()?,
            _ => self.marked()?,
        };
        self.push(Node::Tuple(items))
    }

    /// Items into the list or dictionary below them.
    fn put(&mut self, code: u8) -> Step {
        let items = match code {
            b'a' => self.popped::<1>()?,
            b's' => self.popped::<2>()?,
            _ => self.marked()?,
        };
        match (self.top()?, code) {
            (Node::List(list), b'a' | b'e') => list.extend(items),
            (Node::Dict(pairs), b's' | b'u') if items.len() % 2 == 0 => {
                pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            _ => return Err("has a pickle that puts items where no container is".to_string()),
        }
        Ok(())
    }

    /// A name of Python: a line with the module, a line with the name; or both from the stack.
    fn name(&mut self, code: u8) -> Step {
        let full = if code == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            format!("{module}.{name}")
        } else {
            let parts = self.popped::<2>()?;
            match (self.node(parts[0]), self.node(parts[1])) {
                (Node::Text(module), Node::Text(name)) => format!("{module}.{name}"),
                _ => return Err("has a pickle that names something without words".to_string()),
            }
        };
        match KNOWN.iter().find(|(name, _)| *name == full) {
            Some((_, known)) => self.push(Node::Known(*known)),
            None => {
                let shown: String = full.chars().take(80).collect();
                Err(format!("asks for `{}`, which a file of tensors may not have", quoted(&shown)))
            }
        }
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let length = rest.iter().take(200).position(|&byte| byte == b'\n');
        let length = length.ok_or_else(|| "has a pickle with a name that does not end".to_string())?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length]).map_err(|_| "has a pickle with a name that is not UTF-8".to_string())
    }

    /// `("storage", type, key, device, count)`: numbers that lie in a member of their own.
    fn storage(&mut self) -> Step {
        let id = self.pop()?;
        let parts: Vec<&Node> = match self.node(id) {
            Node::Tuple(items) => items.iter().map(|&item| self.node(item)).collect(),
            _ => Vec::new(),
        };
        match parts[..] {
            [Node::Text(word), Node::Known(Known::Storage(stored)), Node::Text(key), _, Node::Int(count)]
                if word == "storage" =>
            {
                let storage = Storage { stored, key: key.clone(), count: *count };
                self.push(Node::Storage(Box::new(storage)))
            }
            _ => Err("has a pickle that refers to something else than a storage".to_string()),
        }
    }

    /// A call; only those of the closed list have a meaning, and none of them does anything.
    fn call(&mut self) -> Step {
        let (args, callee) = (self.pop()?, self.pop()?);
        let Node::Known(callee) = *self.node(callee) else {
            return Err("has a pickle that calls something that is no function".to_string());
        };
        let Node::Tuple(args) = self.node(args).clone() else {
            return Err("has a pickle with a call without arguments".to_string());
        };
        match (callee, &args[..]) {
            (Known::RebuildTensor, [storage, offset, shape, steps, _, _, rest @ ..]) => {
                let tensor = self.tensor([*storage, *offset, *shape, *steps], rest)?;
                self.push(Node::Tensor(Box::new(tensor)))
            }
            (Known::RebuildParameter, [data, _, _]) => {
                self.stack.push(*data);
                Ok(())
            }
            (Known::OrderedDict, []) => self.push(Node::Dict(Vec::new())),
            (Known::Size, [lengths]) => {
                self.stack.push(*lengths);
                Ok(())
            }
            (Known::Size, []) => self.push(Node::Tuple(Vec::new())),
            (Known::Device, [name, ..]) => {
                self.stack.push(*name);
                Ok(())
            }
            _ => Err(format!("has a pickle that calls {callee:?} with arguments of another kind")),
        }
    }

    fn tensor(&self, [storage, offset, shape, steps]: [Id; 4], rest: &[Id]) -> Step<Tensor> {
        // Marks such as "conjugated" would change what the numbers mean.
        let plain = rest.iter().all(|&id| matches!(self.node(id), Node::None) || *self.node(id) == Node::Dict(vec![]));
        match (self.node(storage), self.node(offset), self.lengths(shape), self.lengths(steps)) {
            (Node::Storage(storage), Node::Int(offset), Some(shape), Some(steps)) if plain => {
                Ok(Tensor { storage: Storage::clone(storage), offset: *offset, shape, steps })
            }
            _ => Err("has a pickle with a tensor whose parts are of another kind".to_string()),
        }
    }

    fn lengths(&self, id: Id) -> Option<Vec<i64>> {
        let Node::Tuple(items) = self.node(id) else { return None };
        let length = |&item: &Id| if let Node::Int(length) = self.node(item) { Some(*length) } else { None };
        items.iter().map(length).collect()
    }

    /// The attributes of an ordered dictionary: PyTorch keeps versions of modules there, and nothing else is let by.
    fn state(&mut self) -> Step {
        let state = self.pop()?;
        let harmless = match self.node(state) {
            Node::Dict(pairs) => pairs.iter().all(|&(key, _)| *self.node(key) == Node::Text("_metadata".to_string())),
            _ => false,
        };
        match self.top()? {
            Node::Dict(_) if harmless => Ok(()),
            _ => Err("has a pickle that gives attributes to a value".to_string()),
        }
    }
}
