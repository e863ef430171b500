//! Options of custom operators: a flexbuffer whose root is a map from names to numbers.
//!
//! A flexbuffer is read from its end: the width of the root in bytes, before it the root's type, before that the root. Offsets count
//! backwards from where they stand. A map is a list of values with a width of its own; three entries before it stand the offset of the
//! list of its keys, the width of that list's entries, and the number of values; behind the values a byte per value has its type. Whatever
//! leaves the buffer is not there.

/// Types, as the six upper bits of a type's byte; the two lower ones are the width of what an offset leads to.
const INT: u8 = 1;
const UINT: u8 = 2;
const INDIRECT_INT: u8 = 6;
const INDIRECT_UINT: u8 = 7;
const MAP: u8 = 9;
const BOOL: u8 = 26;

/// The number of a key in the map that the buffer's root is, a truth value as 0 or 1. `None` where the root is no map, has no such key, or has
/// something else there.
pub(super) fn integer(buffer: &[u8], key: &str) -> Option<i64> {
    let (&[root_type, root_width], _) = buffer.split_last_chunk::<2>().map(|(rest, last)| (last, rest))?;
    let root = buffer.len().checked_sub(2 + usize::from(root_width))?;
    if root_type >> 2 != MAP {
        return None;
    }
    let (map, width) = (follow(buffer, root, root_width.into())?, width_of(root_type));
    let before = |entries: usize| map.checked_sub(entries * width);
    let count = usize::try_from(unsigned(buffer, before(1)?, width)?).ok()?;
    let key_width = usize::try_from(unsigned(buffer, before(2)?, width)?).ok()?;
    let keys = follow(buffer, before(3)?, width)?;
    // More keys than bytes are no keys.
    let index = (0..count.min(buffer.len())).find(|&index| {
        let name = index.checked_mul(key_width).and_then(|offset| follow(buffer, keys.checked_add(offset)?, key_width));
        let name = name.and_then(|start| buffer.get(start..)).and_then(|rest| rest.split(|&byte| byte == 0).next());
        name == Some(key.as_bytes())
    })?;
    let value = map.checked_add(index.checked_mul(width)?)?;
    let kind = *buffer.get(map.checked_add(count.checked_mul(width)?)?.checked_add(index)?)?;
    match kind >> 2 {
        INT => signed(buffer, value, width),
        UINT | BOOL => unsigned(buffer, value, width).and_then(|number| number.try_into().ok()),
        INDIRECT_INT => signed(buffer, follow(buffer, value, width)?, width_of(kind)),
        INDIRECT_UINT => unsigned(buffer, follow(buffer, value, width)?, width_of(kind))?.try_into().ok(),
        _ => None,
    }
}

/// The width in bytes that a type's byte states.
fn width_of(kind: u8) -> usize {
    1 << (kind & 3)
}

/// Where an offset leads.
fn follow(buffer: &[u8], place: usize, width: usize) -> Option<usize> {
    place.checked_sub(usize::try_from(unsigned(buffer, place, width)?).ok()?)
}

/// A number of 1, 2, 4 or 8 bytes.
fn unsigned(buffer: &[u8], place: usize, width: usize) -> Option<u64> {
    if ![1, 2, 4, 8].contains(&width) {
        return None;
    }
    let bytes = buffer.get(place..place.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// The same with a sign.
fn signed(buffer: &[u8], place: usize, width: usize) -> Option<i64> {
    let unused = 64 - 8 * width as u32;
    Some((unsigned(buffer, place, width)? << unused) as i64 >> unused)
}

#[cfg(test)]
mod tests {
    use super::integer;

    /// {"delay_length": −3, "on": true, "wide": 70000}, as the reference's library writes it.
    const OPTIONS: &[u8] = b"delay_length\x00on\x00wide\x00\x03\x16\x0a\x08\x00\x00\x00\x06\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00\xfd\xff\xff\xff\x01\x00\x00\x00p\x11\x01\x00\x06j\x06\x0f\x26\x01";

    #[test]
    fn numbers_are_found_by_their_keys() {
        assert_eq!(integer(OPTIONS, "delay_length"), Some(-3));
        assert_eq!(integer(OPTIONS, "on"), Some(1));
        assert_eq!(integer(OPTIONS, "wide"), Some(70_000));
        assert_eq!(integer(OPTIONS, "wid"), None);
    }

    #[test]
    fn damaged_options_have_no_numbers_and_do_no_harm() {
        for end in 0..OPTIONS.len() {
            let _ = integer(&OPTIONS[..end], "on");
        }
        for place in 0..OPTIONS.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut damaged = OPTIONS.to_vec();
                damaged[place] = value;
                let _ = integer(&damaged, "wide");
            }
        }
        assert_eq!(integer(&[], "on"), None);
    }
}
