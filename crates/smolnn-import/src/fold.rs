//! Lines of text that fit the width of a terminal.

/// Adds a line, folded at spaces where it is longer than `width`; what follows is indented.
pub(crate) fn fold(text: &mut String, line: &str, width: Option<usize>) {
    let width = width.unwrap_or(usize::MAX);
    let mut used = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            text.push_str("\n  ");
            used = 2;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += length;
    }
    text.push('\n');
}
