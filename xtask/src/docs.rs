//! The pages for people: their links, the list of the book's pages, and the code that they show.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell;

/// A page: its path from the project's root, and its text.
struct Page {
    path: String,
    text: String,
}

/// All pages that people read.
fn pages() -> Vec<Page> {
    let mut paths: Vec<String> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(Into::into).to_vec();
    paths.extend(names("docs").into_iter().filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")));
    for example in names("examples") {
        let path = format!("examples/{example}/README.md");
        paths.extend(shell::root().join(&path).is_file().then_some(path));
    }
    let read = |path: String| Page { text: fs::read_to_string(shell::root().join(&path)).expect(&path), path };
    paths.into_iter().map(read).collect()
}

/// The names in a folder of the project.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(shell::root().join(folder)).expect(folder);
    entries.map(|entry| entry.expect(folder).file_name().to_string_lossy().into_owned()).collect()
}

/// The text without blocks of code, in which brackets are no links.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose += line;
            prose += "\n";
        }
    }
    prose
}

/// The targets of the links of a text.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let ends = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page: its headings as GitHub and mdBook name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let name = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

/// What is wrong with a link of a page; `None` where it leads somewhere, or out of the project.
fn wrong_link(page: &Page, link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let from = shell::root().join(&page.path);
    let to: PathBuf = if file.is_empty() { from } else { from.parent().unwrap_or(Path::new("")).join(file) };
    if !to.exists() {
        return Some(format!("{}: {link} leads nowhere", page.path));
    }
    let is_missing =
        anchor.is_some_and(|anchor| !fs::read_to_string(&to).is_ok_and(|to| anchors(&to).contains(anchor)));
    is_missing.then(|| format!("{}: {link} names no heading", page.path))
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let links = links(&page.text);
        count += links.len();
        wrong.extend(links.iter().filter_map(|link| wrong_link(&page, link)));
    }
    assert_eq!(wrong, [""; 0]);
    assert!(count > 50, "{count} links were found");
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let page = Page { path: "docs/start.md".into(), text: String::new() };
    assert!(wrong_link(&page, "nowhere.md").is_some_and(|said| said.contains("leads nowhere")));
    assert!(wrong_link(&page, "memory.md#nothing").is_some_and(|said| said.contains("names no heading")));
    assert_eq!(wrong_link(&page, "memory.md#less-of-it"), None);
    assert_eq!(links("a [b](c.md) and\n```\n[d](e.md)\n```\n[f](g.md#h)"), ["c.md", "g.md#h"]);
}

#[test]
fn the_book_has_every_page_once() {
    let pages: Vec<String> = names("docs").into_iter().filter(|name| name.ends_with(".md")).collect();
    let summary = fs::read_to_string(shell::root().join("docs/SUMMARY.md")).expect("the book's summary");
    let mut listed = links(&summary);
    listed.sort();
    let wanted: Vec<String> = pages.into_iter().filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, wanted);
}

/// The lines of a text without what they are indented by, which is another depth on a page.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}

/// Whether a source has these lines one behind the other.
fn has_lines(source: &str, code: &str) -> bool {
    let (source, code) = (lines(source), lines(code));
    source.windows(code.len()).any(|window| window == code)
}

/// What is wrong with the blocks of Rust of a page: each has to be lines of the file that a comment above it names, which is compiled.
fn wrong_code(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut blocks = page.text.split("```rust");
    let mut before = blocks.next().unwrap_or("");
    for block in blocks {
        let (code, after) = block.split_once("\n```").unwrap_or((block, ""));
        // Behind the language may stand words such as `ignore`.
        let code = code.split_once('\n').map_or("", |(_, code)| code);
        let file =
            before.trim_end().rsplit('\n').next().and_then(|line| line.strip_prefix("<!-- ")?.strip_suffix(" -->"));
        match file.map(|file| (file, fs::read_to_string(shell::root().join(file)))) {
            Some((_, Ok(source))) if has_lines(&source, code) => {}
            Some((file, _)) => wrong.push(format!("{}: {file} has no such lines:\n{code}", page.path)),
            None => wrong.push(format!("{}: nothing says where these lines are compiled:\n{code}", page.path)),
        }
        before = after;
    }
    wrong
}

#[test]
fn code_that_pages_show_is_code_that_is_compiled() {
    let mut blocks = 0;
    for page in &pages() {
        blocks += page.text.matches("```rust").count();
        assert_eq!(wrong_code(page), [""; 0]);
    }
    assert!(blocks >= 15, "{blocks} blocks were found");
    let page = |text: &str| Page { path: "README.md".into(), text: text.into() };
    assert_eq!(wrong_code(&page("```rust\nfn main() {}\n```\n")).len(), 1);
    assert_eq!(wrong_code(&page("<!-- examples/minimal/build.rs -->\n```rust\nfn other() {}\n```\n")).len(), 1);
    assert_eq!(wrong_code(&page("```rust,ignore\nfn main() {}\n```\n")).len(), 1);
    assert!(has_lines("mod a {\n    b();\n    c();\n}", "b();\nc();") && !has_lines("b();\nd();\nc();", "b();\nc();"));
}
