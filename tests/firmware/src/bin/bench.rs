//! Instructions per call of every kernel shape and model. One line each:
//! `bench KIND <tab> NAME <tab> SHAPE <tab> MACS <tab> ELEMENTS <tab> INSTRUCTIONS`, KIND being `kernel` or `model`.
//! Options: `--kernel NAME`, `--model NAME`: that one alone. `none` names no kernel and no model.
#![no_std]
#![no_main]

use board::counter::Counter;
use firmware::kernels::{self, Meter, Work};
use firmware::models;
use smolnn_testkit::model::{self, Info, Recording, Runnable, Visitor};

board::entry!(run);

struct Bench {
    counter: Counter,
    kernel: Wanted,
    model: Wanted,
    refused: bool,
}

impl Bench {
    fn print(&self, kind: &str, name: &str, shape: &str, work: Work, call: &mut dyn FnMut()) {
        let (macs, elements) = match work {
            Work::Macs(macs) => (macs, 0),
            Work::Elements(elements) => (0, elements),
        };
        let hundredths = self.counter.hundredths(call);
        board::println!(
            "bench {kind}\t{name}\t{shape}\t{macs}\t{elements}\t{}.{:02}",
            hundredths / 100,
            hundredths % 100
        );
    }
}

impl Meter for Bench {
    fn wants(&self, name: &str) -> bool {
        self.kernel.matches(name)
    }

    fn kernel(&mut self, name: &'static str, shape: &'static str, work: Work, call: &mut dyn FnMut()) {
        if self.kernel.matches(name) {
            self.print("kernel", name, shape, work, call);
        }
    }

    fn skip(&mut self, name: &'static str, shape: &'static str, reason: &'static str) {
        self.refused |= reason == kernels::REFUSED;
        board::println!("skip {name}\t{shape}\t{reason}");
    }
}

impl Visitor for Bench {
    fn wants(&self, info: &Info) -> bool {
        self.model.matches(info.name)
    }

    fn model(&mut self, info: &Info, recordings: &'static [Recording], model: &mut dyn Runnable) {
        let Some(recording) = recordings.first() else { return };
        model::load(model, recording, 0);
        // A run uses up its input, whose memory serves other tensors: what later runs find there is as good as any.
        self.print("model", info.name, info.shape, Work::Macs(info.macs), &mut || model.run());
    }
}

/// The name that an option asks for; without the option all are wanted.
struct Wanted {
    name: [u8; 64],
    length: Option<usize>,
}

impl Wanted {
    fn from_option(option: &str) -> Self {
        board::option(option, |name| {
            let mut wanted = Self { name: [0; 64], length: name.map(str::len) };
            if let Some(name) = name {
                wanted.name[..name.len()].copy_from_slice(name.as_bytes());
            }
            wanted
        })
    }

    fn matches(&self, name: &str) -> bool {
        self.length.is_none_or(|length| &self.name[..length] == name.as_bytes())
    }
}

fn run() -> board::Exit {
    let mut bench = Bench {
        counter: Counter::start_from_options(),
        kernel: Wanted::from_option("--kernel"),
        model: Wanted::from_option("--model"),
        refused: false,
    };
    kernels::all(&mut bench);
    models::models(&mut bench);
    board::println!("done");
    if bench.refused { board::Exit::Fail } else { board::Exit::Pass }
}
