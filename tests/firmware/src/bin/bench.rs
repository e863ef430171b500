//! Instructions per call of every kernel shape. One line each: `bench NAME <tab> SHAPE <tab> MACS <tab> ELEMENTS <tab> INSTRUCTIONS`.
//! Options: `--kernel NAME`.
#![no_std]
#![no_main]

use board::counter::Counter;
use firmware::kernels::{self, Meter, Work};

board::entry!(run);

struct Bench {
    counter: Counter,
    wanted: Wanted,
}

impl Meter for Bench {
    fn wants(&self, name: &str) -> bool {
        self.wanted.matches(name)
    }

    fn kernel(&mut self, name: &'static str, shape: &'static str, work: Work, call: &mut dyn FnMut()) {
        let (macs, elements) = match work {
            Work::Macs(macs) => (macs, 0),
            Work::Elements(elements) => (0, elements),
        };
        let hundredths = self.counter.hundredths(call);
        board::println!("bench {name}\t{shape}\t{macs}\t{elements}\t{}.{:02}", hundredths / 100, hundredths % 100);
    }

    fn skip(&mut self, name: &'static str, shape: &'static str, reason: &'static str) {
        board::println!("skip {name}\t{shape}\t{reason}");
    }
}

/// The name that was asked for; none stands for all.
struct Wanted([u8; 64], Option<usize>);

impl Wanted {
    fn from_options() -> Self {
        board::option("--kernel", |name| {
            let mut bytes = [0; 64];
            let length = name.and_then(|name| bytes.get_mut(..name.len()).map(|room| (name, room)));
            let length = length.map(|(name, room)| {
                room.copy_from_slice(name.as_bytes());
                name.len()
            });
            Self(bytes, length)
        })
    }

    fn matches(&self, name: &str) -> bool {
        self.1.is_none_or(|length| &self.0[..length] == name.as_bytes())
    }
}

fn run() -> board::Exit {
    let mut bench = Bench { counter: Counter::start_from_options(), wanted: Wanted::from_options() };
    kernels::all(&mut bench);
    board::println!("done");
    board::Exit::Pass
}
