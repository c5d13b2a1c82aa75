//! Zip archives for the fuzzer, which never hits on a checksum by chance.

const LOCAL: &[u8] = b"PK\x03\x04";
/// From the first mark of an entry to its name.
const HEADER: usize = 30;

/// Takes apart what looks like the entries of an archive, at their marks, and writes it again with the checksums,
/// lengths and directory that belong to it. What the entries hold, their names and other fields stay as they are.
pub fn repaired(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut directory, mut entries) = (Vec::new(), Vec::new(), 0u16);
    let starts: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(LOCAL)).collect();
    let end = bytes.windows(4).position(|mark| mark == b"PK\x01\x02").unwrap_or(bytes.len());
    for (number, &start) in starts.iter().enumerate() {
        let next = starts.get(number + 1).copied().unwrap_or(end.max(start));
        let Some(header) = bytes.get(start..start + HEADER).filter(|_| start + HEADER <= next) else { continue };
        let rest = &bytes[start + HEADER..next];
        let name = usize::from(u16::from_le_bytes([header[26], header[27]])).min(rest.len());
        let (name, content) = rest.split_at(name);
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let length = (content.len() as u32).to_le_bytes();
        let sums = [&crc.sum().to_le_bytes()[..], &length, &length, &(name.len() as u16).to_le_bytes()].concat();
        let place = (out.len() as u32).to_le_bytes();
        out.extend([&header[..14], &sums, &header[28..], name, content].concat());
        // Made on Unix by version 2.0; the rights of a plain file.
        directory.extend(
            [&b"PK\x01\x02\x14\x03"[..], &header[4..14], &sums, &[0; 8], &[0, 0, 0xa4, 0x81], &place, name].concat(),
        );
        entries += 1;
    }
    let (size, place) = ((directory.len() as u32).to_le_bytes(), (out.len() as u32).to_le_bytes());
    let count = entries.to_le_bytes();
    out.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &count, &count, &size, &place, &[0, 0]].concat());
    out
}
