//! Cycles of the kernels' inner loops by llvm-mca, for cores whose timings are not published but which LLVM has a model of.
//!
//! A loop is a branch back within a function, without another loop inside; it is taken from the linked image, so that it is what runs. llvm-mca runs it many
//! times and says how long a turn takes. It knows nothing of what lies around the loop, of memory, nor of branches that are guessed wrong.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::boards::{Board, Name};
use crate::firmware::{self, Variant};
use crate::setup;
use crate::shell::{self, Kind, fault};

/// The boards that llvm-mca of LLVM 14 and later has a model of, and what it calls their core.
const CORES: [(Name, &str); 1] = [(Name::M7, "cortex-m7")];

/// Turns of a loop that are modelled.
const TURNS: u32 = 200;

/// An instruction of a function.
struct Instruction {
    address: u64,
    mnemonic: String,
    operands: String,
}

impl Instruction {
    /// A line of llvm-objdump: `address: mnemonic operands`, with a note behind `@`.
    fn read(line: &str) -> Option<Self> {
        let (address, rest) = line.split_once(':')?;
        let address = u64::from_str_radix(address.trim(), 16).ok()?;
        let text = rest.split(" @ ").next().unwrap_or("").trim();
        let (mnemonic, operands) = text.split_once('\t').unwrap_or((text, ""));
        let operands = operands.split(" <").next().unwrap_or("").trim();
        Some(Self { address, mnemonic: mnemonic.to_owned(), operands: operands.to_owned() })
    }

    /// Where a branch within the function goes to.
    fn target(&self) -> Option<u64> {
        let name = self.mnemonic.trim_end_matches(".w").trim_end_matches(".n");
        let is_branch = name == "b" || name.starts_with("cbz") || name.starts_with("cbnz") || is_conditional(name);
        let place = self.operands.rsplit([' ', ',']).next()?;
        u64::from_str_radix(place.strip_prefix("0x")?, 16).ok().filter(|_| is_branch)
    }

    /// Pairs of numbers that it multiplies and adds.
    fn products(&self) -> u32 {
        match self.mnemonic.as_str() {
            "smlad" | "smladx" | "smlald" => 2,
            "mla" | "smlal" | "smlabb" | "smlabt" | "smlatb" | "smlatt" | "smlawb" | "smlawt" | "vfma.f32" => 1,
            _ => 0,
        }
    }

    /// What llvm-mca reads for it: a load or store of several words counts by words, since the models take it for one. Where a branch goes to is not
    /// modelled.
    fn modelled(&self) -> Vec<String> {
        if self.target().is_some() {
            let place = self.operands.rsplit_once("0x").map_or("", |(before, _)| before);
            return vec![format!("{} {place}turn", self.mnemonic)];
        }
        let single = || vec![format!("{} {}", self.mnemonic, self.operands)];
        let kind = self.mnemonic.split('.').next().unwrap_or("");
        let (kind, base, list) = match kind {
            "ldm" | "ldmia" | "stm" | "stmia" => {
                let Some((base, list)) = self.operands.split_once(',') else { return single() };
                (if kind.starts_with('l') { "ldr" } else { "str" }, base.trim_end_matches('!'), list)
            }
            "push" => ("str", "sp", self.operands.as_str()),
            "pop" => ("ldr", "sp", self.operands.as_str()),
            _ => return single(),
        };
        let registers = list.trim().trim_matches(['{', '}']).split(',').map(str::trim);
        registers.enumerate().map(|(index, register)| format!("{kind} {register}, [{base}, #{}]", 4 * index)).collect()
    }
}

/// Whether a mnemonic is `b` with a condition.
fn is_conditional(mnemonic: &str) -> bool {
    const CONDITIONS: [&str; 14] = ["eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"];
    mnemonic.strip_prefix('b').is_some_and(|condition| CONDITIONS.contains(&condition))
}

/// A loop of a kernel.
struct Loop {
    function: String,
    instructions: usize,
    products: u32,
    cycles: f64,
}

/// The inner loops of a function: from the target of a branch back to the branch, without another such pair inside.
fn loops(function: &[Instruction]) -> Vec<&[Instruction]> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (end, instruction) in function.iter().enumerate() {
        let start = instruction.target().and_then(|target| function.iter().position(|other| other.address == target));
        if let Some(start) = start.filter(|start| *start <= end) {
            spans.push((start, end));
        }
    }
    let is_inner =
        |span: &(usize, usize)| !spans.iter().any(|other| other != span && other.0 >= span.0 && other.1 <= span.1);
    spans.iter().filter(|span| is_inner(span)).map(|&(start, end)| &function[start..=end]).collect()
}

/// The cycles of a turn by llvm-mca.
fn model(core: &str, body: &[Instruction]) -> Result<f64> {
    let mut text = String::from(".syntax unified\n.thumb\nturn:\n");
    for line in body.iter().flat_map(Instruction::modelled) {
        text += &format!("{line}\n");
    }
    let mut mca = shell::command("llvm-mca");
    mca.args([
        "-mtriple=thumbv7em-none-eabihf",
        &format!("-mcpu={core}"),
        "-instruction-info=0",
        "-resource-pressure=0",
    ]);
    let file = shell::root().join("target/inner_loop.s");
    fs::write(&file, text)?;
    let said = shell::output(mca.arg(format!("-iterations={TURNS}")).arg(&file))?;
    let total = said.lines().find_map(|line| line.strip_prefix("Total Cycles:")?.trim().parse::<f64>().ok());
    Ok(total.with_context(|| format!("llvm-mca said no cycles:\n{said}"))? / f64::from(TURNS))
}

/// The loops with products of all kernels in an image.
fn find(image: &Path, core: &str) -> Result<Vec<Loop>> {
    let mut objdump = shell::command("llvm-objdump");
    let text = shell::output(objdump.args(["-d", "--no-show-raw-insn"]).arg(image))?;
    let mut found = Vec::new();
    for function in text.split("\n\n") {
        let Some((head, body)) = function.trim_start().split_once(">:\n") else { continue };
        let Some((_, symbol)) = head.split_once('<') else { continue };
        let name = format!("{:#}", rustc_demangle::demangle(symbol));
        let Some(name) = name.strip_prefix("smolnn_fixed::backend::") else { continue };
        let instructions: Vec<Instruction> = body.lines().filter_map(Instruction::read).collect();
        for body in loops(&instructions) {
            let products = body.iter().map(Instruction::products).sum();
            // llvm-mca takes no IT, which the compiler's own loops have and those in assembly have not.
            if products > 0 && !body.iter().any(|instruction| instruction.mnemonic.starts_with("it")) {
                let cycles = model(core, body).with_context(|| format!("a loop of {name}"))?;
                found.push(Loop { function: name.to_owned(), instructions: body.len(), products, cycles });
            }
        }
    }
    found.sort_by(|one, other| one.function.cmp(&other.function));
    Ok(found)
}

/// Prints the inner loops of a board's kernels.
pub fn show(boards: &[&Board], as_json: bool) -> Result<()> {
    let chosen: Vec<(&Board, &str)> = CORES
        .iter()
        .map(|(name, core)| (name.board(), *core))
        .filter(|(board, _)| boards.iter().any(|other| other.name == board.name))
        .collect();
    if chosen.is_empty() {
        let names: Vec<String> = CORES.iter().map(|(name, _)| name.board().label()).collect();
        let message = format!(
            "llvm-mca has a model of {} alone; `cargo xtask cycles` models other boards whole",
            names.join(", ")
        );
        return Err(fault(Kind::Usage, message));
    }
    for program in ["llvm-mca", "llvm-objdump"] {
        if !setup::starts(program) {
            let message = format!("{program} is missing. It comes with LLVM: on Debian `apt-get install llvm`");
            return Err(fault(Kind::ToolMissing, message));
        }
    }
    let mut list = Vec::new();
    for (board, core) in chosen {
        let variant = Variant { quiet: as_json, ..Variant::default() };
        let image = firmware::build(board, &["bench"], &variant)?.remove(0);
        let loops = find(&image, core)?;
        ensure!(!loops.is_empty(), "{} has no loop of a kernel", image.display());
        if as_json {
            list.extend(loops.iter().map(|body| {
                json!({
                    "board": board.label(), "function": body.function, "instructions": body.instructions,
                    "products": body.products, "cycles": body.cycles,
                })
            }));
            continue;
        }
        println!(
            "{}: cycles of a turn by llvm-mca, products that SMLAD takes two at a time counted as two",
            board.label()
        );
        println!("{:<40} {:>12} {:>9} {:>8} {:>12}", "function", "instructions", "products", "cycles", "per product");
        for body in &loops {
            let each = body.cycles / f64::from(body.products);
            let (name, count, products) = (&body.function, body.instructions, body.products);
            println!("{name:<40} {count:>12} {products:>9} {:>8.1} {each:>12.3}", body.cycles);
        }
    }
    if as_json {
        println!("{}", serde_json::to_string_pretty(&list)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: &[&str]) -> Vec<Instruction> {
        lines.iter().filter_map(|line| Instruction::read(line)).collect()
    }

    #[test]
    fn a_loop_is_the_innermost_branch_back() {
        let function = function(&[
            "     d7e:      \tldm\tr0!, {r4, r5}",
            "     d9e:      \tbeq.w\t0xda8 <tile+0xa2> @ imm = #96",
            "     da2:      \tsmlad\tr5, r10, r3, r5",
            "     da4:      \tldr.w\tlr, [r1]",
            "     da6:      \tbne.w\t0xda2 <tile+0x42> @ imm = #-96",
            "     da8:      \tsubs\tr2, r2, #1",
            "     daa:      \tbne\t0xd7e <tile+0x1e> @ imm = #-352",
        ]);
        let found = loops(&function);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0][0].address, found[0].len()), (0xda2, 3));
        assert_eq!(found[0].iter().map(Instruction::products).sum::<u32>(), 2);
    }

    #[test]
    fn loads_of_several_words_count_by_words() {
        let function = function(&["     d7e:      \tldm.w\tr0!, {r4, r5, lr}"]);
        assert_eq!(function[0].modelled(), ["ldr r4, [r0, #0]", "ldr r5, [r0, #4]", "ldr lr, [r0, #8]"]);
    }

    #[test]
    fn branches_go_to_the_turn() {
        let function = function(&[
            "     d7e:      \tcbz\tr2, 0xd906 <run+0x12>",
            "     d80:      \tbne.w\t0xd7e <run+0x2> @ imm = #-8",
        ]);
        let lines: Vec<String> = function.iter().flat_map(Instruction::modelled).collect();
        assert_eq!(lines, ["cbz r2, turn", "bne.w turn"]);
    }
}
