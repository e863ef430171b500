//! Looks for panicking code in linked release firmware, and says who calls it.
//!
//! Every panic of Rust ends in the panic handler, so an image is free of panics when the linker found no use for it.
//! Where it did, the relocations that were kept (`--emit-relocs`) are the graph of who refers to whom: walked backwards
//! from the handler they name each function of ours that can panic, with the way it takes.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::gimli;
use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

use crate::boards::Board;
use crate::firmware::{self, Variant};
use crate::shell::say;
use crate::suite::Tally;
use crate::{setup, size};

/// The program that links every kernel.
const KERNELS: &str = "nopanic";

/// The panic handler's name, whatever its mangling.
const HANDLER: &str = "rust_begin_unwind";

/// Paths of code that is not ours to mend.
const FOREIGN: [&str; 4] = ["core::", "<core::", "compiler_builtins::", "__rustc::"];

/// One piece of code or data of an image.
#[derive(Clone, Debug)]
struct Piece {
    name: String,
    address: u64,
    end: u64,
}

/// The panics of an image, one line each: who panics, by what way. Empty for an image without.
fn find(image: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes)?;
    // Thumb functions have bit 0 set.
    let clean = |address: u64| if file.architecture() == object::Architecture::Arm { address & !1 } else { address };
    let mut pieces: Vec<Piece> = file
        .symbols()
        .filter(|symbol| symbol.is_definition() && matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data))
        .filter(|symbol| symbol.size() > 0)
        .map(|symbol| {
            let address = clean(symbol.address());
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or("?")));
            Piece { name, address, end: address + symbol.size() }
        })
        .collect();
    pieces.sort_by_key(|piece| (piece.address, piece.end));
    if pieces.is_empty() {
        bail!("{} holds no symbols: nothing was checked", image.display());
    }
    let holder = |address: u64| {
        let after = pieces.partition_point(|piece| piece.address <= address);
        (0..after).rev().take(8).find(|&index| address < pieces[index].end)
    };
    // Who refers to whom; data without a symbol (tables of methods) are nodes by section and address.
    let mut referrers: BTreeMap<usize, BTreeMap<usize, Vec<u64>>> = BTreeMap::new();
    let mut relocations = 0;
    for section in file.sections() {
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(target) = relocation.target() else { continue };
            let Ok(symbol) = file.symbol_by_index(target) else { continue };
            let addend = if symbol.kind() == SymbolKind::Section { relocation.addend() } else { 0 };
            let target = clean(symbol.address().wrapping_add_signed(addend));
            relocations += 1;
            // In an executable the offset of a relocation is an address.
            if let (Some(from), Some(to)) = (holder(offset), holder(target)) {
                referrers.entry(to).or_default().entry(from).or_default().push(offset);
            }
        }
    }
    if relocations == 0 {
        bail!("{} holds no relocations: who calls whom cannot be told", image.display());
    }
    let Some(handler) = pieces.iter().position(|piece| piece.name.contains(HANDLER)) else { return Ok(Vec::new()) };
    let lines = Lines::of(&file)?;
    let mut found = Vec::new();
    let mut way: BTreeMap<usize, usize> = BTreeMap::from([(handler, handler)]);
    let mut queue = VecDeque::from([handler]);
    while let Some(piece) = queue.pop_front() {
        for (&from, calls) in referrers.get(&piece).into_iter().flatten() {
            if way.contains_key(&from) {
                continue;
            }
            way.insert(from, piece);
            if FOREIGN.iter().any(|path| pieces[from].name.starts_with(path)) {
                queue.push_back(from);
                continue;
            }
            // The first of our functions on the way is the offender; who calls it is innocent.
            let mut line = pieces[from].name.clone();
            line.extend(calls.iter().map(|&call| lines.describe(call)));
            let mut step = piece;
            while step != handler {
                line += &format!(" -> {}", pieces[step].name);
                step = way[&step];
            }
            found.push(line);
        }
    }
    if found.is_empty() {
        found.push(format!("{HANDLER} is linked, but nothing of ours refers to it directly"));
    }
    Ok(found)
}

/// The models that are looked at alone on a board: those of the boards whose firmware `size` measures.
fn models(board: &Board) -> Vec<String> {
    if size::BOARDS.contains(&board.name) { size::models() } else { Vec::new() }
}

/// Builds the images of a board whose code must not panic: all kernels, and each model alone.
pub fn build(board: &Board) -> Result<()> {
    firmware::build(board, &[KERNELS], &Variant::default())?;
    size::build(board, &models(board), false, false)?;
    Ok(())
}

/// Those images.
fn images(board: &Board) -> Vec<PathBuf> {
    let programs = models(board).into_iter().map(|model| size::program(&model));
    let programs = std::iter::once(KERNELS.to_owned()).chain(programs);
    programs.map(|program| firmware::image(board, &program, &Variant::default())).collect()
}

/// The boards whose images are looked into. A small board links the code of `m0`, and less of it.
pub fn inspected<'a>(boards: &[&'a Board]) -> Vec<&'a Board> {
    boards.iter().copied().filter(|board| !board.small).collect()
}

/// Looks into the images of a board, which are built, and says what it finds.
pub fn check(board: &Board) -> Result<Tally> {
    let mut tally = Tally::default();
    for image in &images(board) {
        let program = image.file_name().unwrap_or_default().to_string_lossy();
        let found = inspect(image)?;
        say!("{program} for {}: {}", board.label(), if found.is_empty() { "no panics" } else { "CAN PANIC" });
        for line in &found {
            say!("  {line}");
        }
        tally.failed += u32::from(!found.is_empty());
        tally.passed += u32::from(found.is_empty());
    }
    Ok(tally)
}

/// `xtask check-panics`.
pub fn run(boards: &[&Board], install: bool) -> Result<()> {
    setup::ensure_targets(boards, install)?;
    let mut all = Tally::default();
    for board in inspected(boards) {
        build(board)?;
        let tally = check(board)?;
        all.passed += tally.passed;
        all.failed += tally.failed;
    }
    if all.failed > 0 {
        bail!("{} of {} images can panic", all.failed, all.failed + all.passed);
    }
    Ok(())
}

/// All that is suspicious about an image.
pub fn inspect(image: &Path) -> Result<Vec<String>> {
    let found = find(image)?;
    if found.is_empty() { symbols(image) } else { Ok(found) }
}

/// The lines of an image's code, inlined functions included.
struct Lines<'a>(addr2line::Context<gimli::EndianSlice<'a, gimli::LittleEndian>>);

impl<'a> Lines<'a> {
    fn of(file: &object::File<'a>) -> Result<Self> {
        let load = |section: gimli::SectionId| -> Result<_, gimli::Error> {
            let data = file.section_by_name(section.name()).and_then(|section| section.data().ok()).unwrap_or(&[]);
            Ok(gimli::EndianSlice::new(data, gimli::LittleEndian))
        };
        Ok(Self(addr2line::Context::from_dwarf(gimli::Dwarf::load(load)?)?))
    }

    /// Where the code at an address comes from, innermost function first; nothing where that is not known.
    fn describe(&self, address: u64) -> String {
        let mut text = String::new();
        let Ok(mut frames) = self.0.find_frames(address).skip_all_loads() else { return text };
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.and_then(|name| Some(name.demangle().ok()?.into_owned()));
            let place = frame.location.and_then(|at| {
                let file = Path::new(at.file?).components().rev().take(3).collect::<Vec<_>>();
                let file: std::path::PathBuf = file.into_iter().rev().collect();
                Some(format!("{}:{}", file.display(), at.line?))
            });
            // Code that belongs to no single line bears none.
            let place = place.map_or(String::new(), |place| format!(" at {place}"));
            text += &format!("\n      in {}{place}", function.unwrap_or_default());
        }
        if !text.is_empty() {
            text += "\n     ";
        }
        text
    }
}

/// Symbols that only panicking code has, for images whose handler was inlined away.
fn symbols(image: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(image)?;
    let file = object::File::parse(&*bytes)?;
    Ok(file
        .symbols()
        .filter(|symbol| symbol.is_definition())
        .map(|symbol| format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or("?"))))
        .filter(|name| name.contains("core::panicking::") || name.ends_with("_fail") || name.contains("unwrap_failed"))
        .collect())
}
