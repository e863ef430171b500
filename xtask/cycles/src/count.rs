//! Adds up what is executed, block by block, and writes it when QEMU ends.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{fs, io};

use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};

use crate::decode::{self, Operation};
use crate::timing::{Before, Core, Time};

/// The functions that firmware calls where it wants to know what was executed so far: of a whole, and of a part of it.
const MARKS: [&str; 2] = ["smolnn_mark", "smolnn_mark_inner"];

/// What the command line of the plugin says.
#[derive(Debug, Default)]
pub struct Options {
    pub core: Option<Core>,
    /// The ELF file that QEMU runs.
    pub image: PathBuf,
    /// Where the counts are written.
    pub out: PathBuf,
    /// Cycles that flash needs more for the first fetch behind a jump; those that follow are prefetched.
    pub wait_states: u32,
}

impl Options {
    /// Takes one `name=value`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, argument: &str) -> Result<(), String> {
        let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument} has no value"))?;
        match name {
            "core" => self.core = Some(Core::from_name(value).ok_or_else(|| format!("no timings of a core {value}"))?),
            "image" => self.image = value.into(),
            "out" => self.out = value.into(),
            "wait_states" => self.wait_states = value.parse().map_err(|_| format!("{value} wait states"))?,
            _ => return Err(format!("no option is called {name}")),
        }
        Ok(())
    }
}

/// The code of an image, by address.
struct Code(Vec<(u64, Vec<u8>)>);

impl Code {
    fn half_word(&self, address: u64) -> Option<u16> {
        self.0.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(address.checked_sub(*start)?).ok()?;
            Some(u16::from_le_bytes(bytes.get(offset..offset + 2)?.try_into().ok()?))
        })
    }

    /// The operation at an address. What lies outside of the image, a boot ROM's code, counts as data.
    fn operation(&self, address: u64) -> Operation {
        let Some(first) = self.half_word(address) else { return Operation::Other };
        if !decode::is_wide(first) {
            return decode::narrow(first);
        }
        self.half_word(address + 2).map_or(Operation::Other, |second| decode::wide(first, second))
    }
}

/// Instructions that are executed one behind the other.
struct Block {
    start: u64,
    /// The address behind the last instruction.
    end: u64,
    instructions: u64,
    time: Time,
    /// Which of [`MARKS`] begins here.
    mark: Option<usize>,
    runs: u64,
    /// Runs after which another block came than the one behind it.
    refills: u64,
}

impl Block {
    fn cycles(&self) -> u64 {
        self.runs * u64::from(self.time.cycles) + self.refills * u64::from(self.time.refill)
    }
}

/// Counts of one run of QEMU.
pub struct Counts {
    core: Core,
    wait_states: u32,
    code: Code,
    addresses_of_marks: [Option<u64>; 2],
    out: PathBuf,
    blocks: Vec<Block>,
    last: usize,
    instructions: u64,
    cycles: u64,
    /// Mark, instructions and cycles until then.
    marks: Vec<(usize, u64, u64)>,
}

impl Counts {
    /// Reads the image.
    ///
    /// # Errors
    /// What is missing.
    pub fn new(options: Options) -> Result<Self, String> {
        let core = options.core.ok_or("say which core: core=m4")?;
        let bytes = fs::read(&options.image).map_err(|error| format!("{}: {error}", options.image.display()))?;
        let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
        let segments = file.segments().filter_map(|segment| Some((segment.address(), segment.data().ok()?.to_vec())));
        let code = Code(segments.collect());
        let addresses_of_marks = MARKS.map(|name| {
            let mut symbols = file.symbols();
            symbols.find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address() & !1)
        });
        Ok(Self {
            core,
            wait_states: options.wait_states,
            code,
            addresses_of_marks,
            out: options.out,
            blocks: Vec::new(),
            last: usize::MAX,
            instructions: 0,
            cycles: 0,
            marks: Vec::new(),
        })
    }

    /// Takes a block of instructions at the given addresses; its number.
    pub fn translate(&mut self, addresses: impl Iterator<Item = u64>, end: u64) -> usize {
        let mut time = Time::default();
        let mut before = Before::default();
        let (mut start, mut instructions) = (None, 0);
        for address in addresses {
            start.get_or_insert(address);
            instructions += 1;
            let operation = self.code.operation(address);
            let taken = self.core.time(operation, before);
            // Only the last instruction of a block can jump.
            time = Time { cycles: time.cycles + taken.cycles, refill: taken.refill };
            before = Before::of(operation);
        }
        if time.refill > 0 {
            time.refill += self.wait_states;
        }
        let start = start.unwrap_or(end);
        let mark = self.addresses_of_marks.iter().position(|&address| address == Some(start));
        self.blocks.push(Block { start, end, instructions, time, mark, runs: 0, refills: 0 });
        self.blocks.len() - 1
    }

    /// Counts a run of a block.
    pub fn execute(&mut self, number: usize) {
        let start = self.blocks[number].start;
        if let Some(last) = self.blocks.get_mut(self.last)
            && last.end != start
        {
            last.refills += 1;
            self.cycles += u64::from(last.time.refill);
        }
        self.last = number;
        let block = &mut self.blocks[number];
        if let Some(mark) = block.mark {
            self.marks.push((mark, self.instructions, self.cycles));
        }
        block.runs += 1;
        self.instructions += block.instructions;
        self.cycles += u64::from(block.time.cycles);
    }

    /// Writes the counts: a line `NAME INSTRUCTIONS CYCLES` for each call of a mark, with all until then, and a line `block START INSTRUCTIONS CYCLES` for each
    /// block, both of all its runs.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn write(&self) -> io::Result<()> {
        let mut text = String::new();
        for &(mark, instructions, cycles) in &self.marks {
            let _ = writeln!(text, "{} {instructions} {cycles}", MARKS[mark]);
        }
        // A block that was translated again stands twice in the list.
        let mut blocks: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for block in self.blocks.iter().filter(|block| block.runs > 0) {
            let sum = blocks.entry(block.start).or_default();
            sum.0 += block.runs * block.instructions;
            sum.1 += block.cycles();
        }
        for (start, (instructions, cycles)) in blocks {
            let _ = writeln!(text, "block {start:#x} {instructions} {cycles}");
        }
        fs::write(&self.out, text)
    }
}
