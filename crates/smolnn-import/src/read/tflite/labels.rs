//! Lists of labels that a model file brings with it: text files in a ZIP archive behind the flatbuffer, as the metadata of TensorFlow Lite packs them
//! (<https://www.tensorflow.org/lite/models/convert/metadata>). What is damaged is passed over: labels are names for people and change no result.

/// Lengths of the archive's records without what varies (APPNOTE.TXT of the ZIP format, 4.3).
const END_LENGTH: usize = 22;
const ENTRY_LENGTH: usize = 46;
const HEADER_LENGTH: usize = 30;
/// The longest comment behind the last record.
const LONGEST_COMMENT: usize = 1 << 16;

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

/// The labels of each text file in the archive behind the model, a line each.
pub(crate) fn label_lists(file: &[u8]) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    let Some((mut at, entries, archive)) = directory(file) else { return lists };
    for _ in 0..entries {
        let Some((next, text)) = entry(file, at, archive) else { break };
        let labels = text.map(|text| text.trim_end().lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>());
        lists.extend(labels.filter(|labels| !labels.is_empty()));
        at = next;
    }
    lists
}

/// Where the archive's directory lies in the file, its number of entries, and where the archive begins.
fn directory(file: &[u8]) -> Option<(usize, usize, usize)> {
    let last = file.len().checked_sub(END_LENGTH)?;
    let first = last.saturating_sub(LONGEST_COMMENT);
    let end = (first..=last).rev().find(|&at| file[at..].starts_with(b"PK\x05\x06"))?;
    let (entries, length, offset) = (u16_at(file, end + 10)?, u32_at(file, end + 12)?, u32_at(file, end + 16)?);
    let start = end.checked_sub(length)?;
    Some((start, entries, start.checked_sub(offset)?))
}

/// The entry of the directory at a place: where the next one lies, and the text, if it is a text file that is stored without compression.
fn entry(file: &[u8], at: usize, archive: usize) -> Option<(usize, Option<&str>)> {
    if !file.get(at..)?.starts_with(b"PK\x01\x02") {
        return None;
    }
    let (method, length, name_length) = (u16_at(file, at + 10)?, u32_at(file, at + 24)?, u16_at(file, at + 28)?);
    let next = at + ENTRY_LENGTH + name_length + u16_at(file, at + 30)? + u16_at(file, at + 32)?;
    let name = file.get(at + ENTRY_LENGTH..)?.get(..name_length)?;
    if method != 0 || !name.ends_with(b".txt") {
        return Some((next, None));
    }
    let header = archive.checked_add(u32_at(file, at + 42)?)?;
    if !file.get(header..)?.starts_with(b"PK\x03\x04") {
        return None;
    }
    let data = header + HEADER_LENGTH + u16_at(file, header + 26)? + u16_at(file, header + 28)?;
    Some((next, std::str::from_utf8(file.get(data..)?.get(..length)?).ok()))
}
