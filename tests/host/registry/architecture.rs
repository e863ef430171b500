//! The tables of docs/architecture.md against the source: which crate depends on which, and which room of a crate imports
//! which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use host_tests::source::{self, Cells};
use smolnn_testkit::golden::project;

const PAGE: &str = "docs/architecture.md";

/// What a room, or a crate, may import.
#[derive(Clone, Debug, Default)]
struct Row {
    forward: BTreeSet<String>,
    /// Arrows that lead back: they are to go, and none may come.
    back: BTreeSet<String>,
}

/// Rows by room.
type Table = BTreeMap<String, Row>;

/// The table below a heading of the page.
fn table(page: &str, heading: &str) -> Table {
    let mut table = Table::new();
    for Cells(cells) in source::table(page, heading) {
        let imports = cells.last().expect("a row has cells");
        let (forward, back) = imports.split_once("back to").unwrap_or((imports, ""));
        let row = Row { forward: source::quoted(forward), back: source::quoted(back) };
        for room in source::quoted(&cells[0]) {
            assert!(table.insert(room.clone(), row.clone()).is_none(), "`{room}` has two rows");
        }
    }
    assert!(table.len() > 2, "{PAGE} has no table below `{heading}`");
    table
}

/// What is wrong: arrows by who imports whom, with where, against a table.
fn wrong(table: &Table, arrows: &BTreeMap<(String, String), String>, rooms: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for room in rooms.iter().filter(|room| !table.contains_key(*room)) {
        wrong.push(format!("`{room}` has no row"));
    }
    for room in table.keys().filter(|room| !rooms.contains(*room)) {
        wrong.push(format!("`{room}` has a row, and is not there"));
    }
    for ((from, to), place) in arrows {
        let Some(row) = table.get(from) else { continue };
        if !row.forward.contains(to) && !row.back.contains(to) {
            wrong.push(format!("{place}: `{from}` imports `{to}`"));
        }
    }
    for (room, row) in table {
        for to in row.back.iter().filter(|to| !arrows.contains_key(&(room.clone(), (*to).clone()))) {
            wrong.push(format!("`{room}` does not lead back to `{to}` any more"));
        }
        for to in row.forward.iter().filter(|to| leads(table, to, room, &mut BTreeSet::new())) {
            wrong.push(format!("`{room}` may import `{to}`, from which a way leads back to `{room}`"));
        }
    }
    wrong
}

/// Whether a way leads from one room to another, by arrows that do not lead back.
fn leads<'a>(table: &'a Table, from: &'a str, to: &str, seen: &mut BTreeSet<&'a str>) -> bool {
    from == to
        || seen.insert(from)
            && table.get(from).is_some_and(|row| row.forward.iter().any(|next| leads(table, next, to, seen)))
}

/// The rooms of a crate and the arrows between them.
fn rooms(name: &str) -> (BTreeSet<String>, BTreeMap<(String, String), String>) {
    let folder = project().join("crates").join(name).join("src");
    let files: Vec<(String, String)> = source::files(&folder, "rs")
        .iter()
        .map(|path| (source::below(&folder, path), fs::read_to_string(path).unwrap()))
        .filter(|(file, _)| file != "main.rs")
        .collect();
    let room = |file: &str| file.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
    let rooms: BTreeSet<String> = files.iter().map(|(file, _)| room(file)).filter(|room| room != "lib").collect();
    let root = files.iter().find(|(file, _)| file == "lib.rs").map_or("", |(_, text)| text);
    let exported = source::exports(root);
    let mut arrows = BTreeMap::new();
    for (file, text) in files.iter().filter(|(file, _)| file != "lib.rs") {
        for first in source::imports(file, text) {
            // What the root exports is of the room that it comes from.
            let to = exported.get(&first).unwrap_or(&first);
            let from = room(file);
            if rooms.contains(to) && *to != from {
                arrows.entry((from, to.clone())).or_insert_with(|| file.clone());
            }
        }
    }
    (rooms, arrows)
}

#[test]
fn rooms_import_what_their_table_says() {
    let page = source::text(PAGE);
    let mut wrong = Vec::new();
    for name in ["smolnn-import", "smolnn-fixed", "smolnn-float", "smolnn-signal"] {
        let (rooms, arrows) = rooms(name);
        let table = table(&page, &format!("## Rooms of `{name}`"));
        wrong.extend(self::wrong(&table, &arrows, &rooms).into_iter().map(|line| format!("{name}: {line}")));
    }
    assert_eq!(wrong, [""; 0]);
}

/// The crates, and which depend on which in `[dependencies]` or `[build-dependencies]`.
fn crates() -> (BTreeSet<String>, BTreeMap<(String, String), String>) {
    let (mut names, mut arrows) = (BTreeSet::new(), BTreeMap::new());
    for manifest in source::files(&project().join("crates"), "toml") {
        let file = source::below(&project().join("crates"), &manifest);
        let name = file.split('/').next().unwrap_or_default().to_owned();
        let mut section = String::new();
        for line in fs::read_to_string(&manifest).unwrap().lines() {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
            }
            let to = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if ["dependencies", "build-dependencies"].contains(&section.as_str()) && to.starts_with("smolnn") {
                arrows.insert((name.clone(), to.to_owned()), file.clone());
            }
        }
        names.insert(name);
    }
    (names, arrows)
}

#[test]
fn crates_depend_on_what_their_table_says() {
    let table = table(&source::text(PAGE), "## Crates");
    let (names, arrows) = crates();
    assert_eq!(wrong(&table, &arrows, &names), [""; 0]);
}

/// What a backend is like is said in its folder.
#[test]
fn backends_are_told_apart_in_their_room_alone() {
    let mut told = Vec::new();
    for folder in ["crates", "examples", "tests", "xtask"] {
        let folder = project().join(folder);
        for path in source::files(&folder, "rs") {
            let file = source::below(&project(), &path);
            let at_home =
                file.starts_with("crates/smolnn-fixed/src/backend/") || file == "crates/smolnn-fixed/build.rs";
            let text = source::without_comments(&fs::read_to_string(&path).unwrap());
            if !at_home && (text.contains(concat!("cfg(", "backend")) || text.contains(concat!("cfg!(", "backend"))) {
                told.push(file);
            }
        }
    }
    assert!(told.is_empty(), "backends are told apart outside of their room: {told:?}");
}

#[test]
fn an_arrow_that_breaks_the_table_is_noticed() {
    let page = "## Rooms\n\n| room | what | may import |\n|---|---|---|\n| `read` | a | `net` |\n| `net` | b | |\n| `plan` | c | `net`; back to `read` |\n";
    let table = table(page, "## Rooms");
    let rooms = ["net", "plan", "read"].map(str::to_owned).into();
    let arrow = |from: &str, to: &str| ((from.to_owned(), to.to_owned()), format!("{from}.rs"));
    let good = [arrow("read", "net"), arrow("plan", "read")];
    assert_eq!(wrong(&table, &good.clone().into(), &rooms), [""; 0]);
    let bad = BTreeMap::from([arrow("read", "net"), arrow("plan", "read"), arrow("net", "plan")]);
    assert_eq!(wrong(&table, &bad, &rooms), ["net.rs: `net` imports `plan`"]);
    assert_eq!(wrong(&table, &[arrow("read", "net")].into(), &rooms), ["`plan` does not lead back to `read` any more"]);
    let circle = page.replace("| b | |", "| b | `read` |");
    let found = wrong(&self::table(&circle, "## Rooms"), &good.into(), &rooms);
    assert_eq!(
        found,
        [
            "`net` may import `read`, from which a way leads back to `net`",
            "`read` may import `net`, from which a way leads back to `read`"
        ]
    );
    let paths = source::imports(
        "read/onnx/mod.rs",
        "use crate::{net::{self, Net}, plan};\nuse super::{tflite, super::lower::Call};\n// crate::run\nsuper::super::write::all();\n#[cfg(test)]\nmod tests { use crate::report; }\n",
    );
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), ["lower", "net", "plan", "read", "write"]);
}
