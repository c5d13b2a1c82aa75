//! Flatbuffers, as far as the headers of Arrow's messages need them: tables whose fields are found through a list of
//! offsets. Nothing is believed: whatever leads outside the bytes is `None`, and nothing here can follow a circle,
//! because every step is asked for by a reader that knows what comes next.

/// A table: fields by number.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

impl<'a> Table<'a> {
    /// The table that the bytes are.
    pub fn root(bytes: &'a [u8]) -> Option<Table<'a>> {
        let at = u32::from_le_bytes(number(bytes, 0)?) as usize;
        Some(Table { bytes, at })
    }

    /// Where field `which` lies; `None` if it is not there.
    fn field(&self, which: usize) -> Option<usize> {
        let back = i32::from_le_bytes(number(self.bytes, self.at)?);
        let list = usize::try_from(i64::try_from(self.at).ok()? - i64::from(back)).ok()?;
        let size = u16::from_le_bytes(number(self.bytes, list)?) as usize;
        let entry = 4 + 2 * which;
        if entry + 2 > size {
            return None;
        }
        match u16::from_le_bytes(number(self.bytes, list + entry)?) {
            0 => None,
            offset => Some(self.at + offset as usize),
        }
    }

    /// Where the thing lies that a field leads to.
    fn target(&self, which: usize) -> Option<usize> {
        let at = self.field(which)?;
        at.checked_add(u32::from_le_bytes(number(self.bytes, at)?) as usize)
    }

    pub fn byte(&self, which: usize) -> Option<u8> {
        self.bytes.get(self.field(which)?).copied()
    }

    pub fn int(&self, which: usize) -> Option<i32> {
        Some(i32::from_le_bytes(number(self.bytes, self.field(which)?)?))
    }

    pub fn long(&self, which: usize) -> Option<i64> {
        Some(i64::from_le_bytes(number(self.bytes, self.field(which)?)?))
    }

    pub fn table(&self, which: usize) -> Option<Table<'a>> {
        Some(Table { bytes: self.bytes, at: self.target(which)? })
    }

    pub fn text(&self, which: usize) -> Option<&'a str> {
        std::str::from_utf8(self.items(which, 1)?).ok()
    }

    /// The bytes of a list of items of `size` bytes each.
    fn items(&self, which: usize, size: usize) -> Option<&'a [u8]> {
        let at = self.target(which)?;
        let count = u32::from_le_bytes(number(self.bytes, at)?) as usize;
        self.bytes.get(at + 4..(at + 4).checked_add(count.checked_mul(size)?)?)
    }

    /// A list of tables.
    pub fn tables(&self, which: usize) -> Option<Vec<Table<'a>>> {
        let (first, items) = (self.target(which)? + 4, self.items(which, 4)?);
        let table = |(place, raw): (usize, &[u8])| {
            let offset = u32::from_le_bytes(raw.try_into().ok()?) as usize;
            Some(Table { bytes: self.bytes, at: (first + 4 * place).checked_add(offset)? })
        };
        items.chunks_exact(4).enumerate().map(table).collect()
    }
}

/// The nodes and buffers of a batch of rows.
pub struct Buffers<'a> {
    nodes: &'a [u8],
    places: &'a [u8],
    body: &'a [u8],
}

impl<'a> Buffers<'a> {
    pub fn new(batch: &Table<'a>, body: &'a [u8]) -> Option<Buffers<'a>> {
        Some(Buffers { nodes: batch.items(1, 16)?, places: batch.items(2, 16)?, body })
    }

    /// How many items column `which` has, and how many of them are missing.
    pub fn node(&self, which: usize) -> Option<(usize, usize)> {
        let at = which.checked_mul(16)?;
        let long = |at: usize| usize::try_from(i64::from_le_bytes(number(self.nodes, at)?)).ok();
        Some((long(at)?, long(at + 8)?))
    }

    /// The bytes of buffer `which`.
    pub fn get(&self, which: usize) -> Option<&'a [u8]> {
        let at = which.checked_mul(16)?;
        let long = |at: usize| usize::try_from(i64::from_le_bytes(number(self.places, at)?)).ok();
        let from = long(at)?;
        self.body.get(from..from.checked_add(long(at + 8)?)?)
    }
}
