//! The chips that `smolnn new` makes projects for: the one table of them, which `cargo xtask chips` reads too.

/// A region of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub origin: u64,
    /// In bytes.
    pub length: u64,
}

/// What a program on the chip starts with, and where its output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// cortex-m-rt; output over semihosting, in QEMU.
    Qemu,
    /// cortex-m-rt; output as defmt's, through the debug probe.
    CortexM,
    /// esp-hal; output as defmt's, through the debug probe.
    Esp,
}

/// How a project for a chip is made.
#[derive(Clone, Copy, Debug)]
pub struct Chip {
    /// What `--chip` takes.
    pub name: &'static str,
    /// The chip and its core, for people.
    pub title: &'static str,
    pub triple: &'static str,
    /// `-C target-cpu`, for Cortex-M: the kernels and the compiler then take all instructions of the core.
    pub cpu: Option<&'static str>,
    pub start: Start,
    pub flash: Memory,
    pub ram: Memory,
    /// Other RAM, with more room and more wait states: for a model that the first has no room for.
    pub large_ram: Option<Memory>,
    /// Addresses at which the same RAM holds code, where they are others.
    #[allow(dead_code)] // `cargo xtask chips` alone measures images.
    pub code_in_ram: Option<Memory>,
    /// The linker script of the chip's memory: a file of `templates/memory`.
    pub memory: Option<&'static str>,
    /// Starts an image that `cargo run` puts behind it.
    pub runner: &'static str,
    /// How an image gets onto the chip, for the project's README.
    pub flashing: &'static str,
    /// The clock of the plain project, which has no HAL to set it up, by the chip's data sheet; nothing where the project sets it.
    pub clock_at_reset: Option<&'static str>,
    /// Lines of `[dependencies]`, beside smolnn and static_cell.
    pub crates: &'static [&'static str],
    /// Items of `main.rs` that the boot ROM wants.
    pub boot: &'static str,
    pub embassy: Option<Embassy>,
}

impl Chip {
    /// Whether its projects are on Embassy: the plain one is not, and where Embassy has a HAL for the chip there is one that is.
    pub fn projects(&self) -> impl Iterator<Item = bool> {
        [false].into_iter().chain(self.embassy.map(|_| true))
    }

    /// The usual name of a project.
    pub fn project(&self, embassy: bool) -> String {
        format!("{}{}", self.name, if embassy { "-embassy" } else { "" })
    }
}

/// How the same project is made on Embassy.
#[derive(Clone, Copy, Debug)]
pub struct Embassy {
    /// Lines of `[dependencies]`, instead of the chip's.
    pub crates: &'static [&'static str],
    /// The HAL.
    pub hal: &'static str,
    /// Lines that make the HAL's `config`, where its own default leaves the clock at reset.
    pub configure: &'static str,
}

const CORTEX_M: &[&str] = &[
    "cortex-m = { version = \"0.7.7\", features = [\"critical-section-single-core\"] }",
    "cortex-m-rt = \"0.7.5\"",
    "defmt = \"1.0\"",
    "defmt-rtt = \"1.0\"",
    "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
];

const KIB: u64 = 1024;

const OF_A_PICO: &str = "A debug probe flashes the chip and shows what it prints: a Debug Probe of Raspberry Pi's, or a second Pico as one. Without a probe hold BOOTSEL while you plug the board in; \
     [picotool](https://github.com/raspberrypi/picotool) then writes the program (`cargo build --release`, then `picotool load -u -v -x -t elf target/{{triple}}/release/{{name}}`; \
     `picotool uf2 convert` makes a .uf2 file of it for the drive that appears). What it prints needs the probe.";

const ON_BOARDS_WITH_A_PROBE: &str = "A debug probe flashes the chip and shows what it prints. Development boards of the chip's maker have one on board (J-Link on a nRF52840 DK, ST-LINK on Nucleo and Discovery); \
     a bare board takes any that probe-rs knows.";

/// Chips in the order of their names.
pub const CHIPS: [Chip; 7] = [
    Chip {
        name: "esp32c3",
        title: "ESP32-C3 (RV32IMC, 160 MHz)",
        triple: "riscv32imc-unknown-none-elf",
        cpu: None,
        start: Start::Esp,
        flash: Memory { origin: 0x4200_0000, length: 4096 * KIB },
        ram: Memory { origin: 0x3FC8_0000, length: 384 * KIB },
        large_ram: None,
        code_in_ram: Some(Memory { origin: 0x4037_C000, length: 400 * KIB }),
        memory: None,
        runner: "probe-rs run --chip esp32c3",
        flashing: "The chip has a debug probe in it: a USB cable to its USB-JTAG (GPIO 18 and 19, the connector of most boards) does.",
        clock_at_reset: None,
        crates: &[
            "defmt = \"1.0\"",
            "defmt-rtt = \"1.0\"",
            "esp-backtrace = { version = \"0.19\", features = [\"defmt\", \"esp32c3\", \"panic-handler\"] }",
            "esp-bootloader-esp-idf = { version = \"0.4\", features = [\"esp32c3\"] }",
            "esp-hal = { version = \"=1.1.2\", features = [\"defmt\", \"esp32c3\", \"unstable\"] }",
        ],
        boot: "",
        embassy: Some(Embassy {
            crates: &[
                "defmt = \"1.0\"",
                "defmt-rtt = \"1.0\"",
                "embassy-executor = \"0.10\"",
                "embassy-time = { version = \"0.5\", features = [\"defmt\"] }",
                "esp-backtrace = { version = \"0.19\", features = [\"defmt\", \"esp32c3\", \"panic-handler\"] }",
                "esp-bootloader-esp-idf = { version = \"0.4\", features = [\"esp32c3\"] }",
                "esp-hal = { version = \"=1.1.2\", features = [\"defmt\", \"esp32c3\", \"unstable\"] }",
                "esp-rtos = { version = \"0.3\", features = [\"embassy\", \"esp32c3\"] }",
            ],
            hal: "esp_hal",
            configure: "",
        }),
    },
    Chip {
        name: "nrf52840",
        title: "nRF52840 (Cortex-M4F, 64 MHz)",
        triple: "thumbv7em-none-eabihf",
        cpu: Some("cortex-m4"),
        start: Start::CortexM,
        flash: Memory { origin: 0, length: 1024 * KIB },
        ram: Memory { origin: 0x2000_0000, length: 256 * KIB },
        large_ram: None,
        code_in_ram: None,
        memory: Some("any.x"),
        runner: "probe-rs run --chip nRF52840_xxAA",
        flashing: ON_BOARDS_WITH_A_PROBE,
        clock_at_reset: None,
        crates: CORTEX_M,
        boot: "",
        embassy: Some(Embassy {
            crates: &[
                "cortex-m = { version = \"0.7.7\", features = [\"critical-section-single-core\"] }",
                "cortex-m-rt = \"0.7.5\"",
                "defmt = \"1.0\"",
                "defmt-rtt = \"1.0\"",
                "embassy-executor = { version = \"0.10\", features = [\"executor-thread\", \"platform-cortex-m\"] }",
                "embassy-nrf = { version = \"0.11\", features = [\"defmt\", \"gpiote\", \"nrf52840\", \"rt\", \"time-driver-rtc1\"] }",
                "embassy-time = { version = \"0.5\", features = [\"defmt\"] }",
                "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
            ],
            hal: "embassy_nrf",
            configure: "",
        }),
    },
    Chip {
        name: "qemu-m4",
        title: "Cortex-M4F of QEMU's machine mps2-an386",
        triple: "thumbv7em-none-eabihf",
        cpu: Some("cortex-m4"),
        start: Start::Qemu,
        flash: Memory { origin: 0, length: 4096 * KIB },
        ram: Memory { origin: 0x2000_0000, length: 4096 * KIB },
        large_ram: None,
        code_in_ram: None,
        memory: Some("any.x"),
        runner: "qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel",
        flashing: "",
        clock_at_reset: None,
        crates: &[
            "cortex-m-rt = \"0.7.5\"",
            "semihosting = { version = \"0.1.25\", features = [\"panic-handler\", \"stdio\"] }",
        ],
        boot: "",
        embassy: None,
    },
    Chip {
        name: "rp2040",
        title: "RP2040 (Cortex-M0+, up to 133 MHz), 2 MiB of flash",
        triple: "thumbv6m-none-eabi",
        cpu: Some("cortex-m0plus"),
        start: Start::CortexM,
        flash: Memory { origin: 0x1000_0000, length: 2048 * KIB },
        ram: Memory { origin: 0x2000_0000, length: 264 * KIB },
        large_ram: None,
        code_in_ram: None,
        memory: Some("rp2040.x"),
        runner: "probe-rs run --chip RP2040",
        flashing: OF_A_PICO,
        clock_at_reset: Some("about 6.5 MHz, of the ring oscillator"),
        crates: &[
            "cortex-m = { version = \"0.7.7\", features = [\"critical-section-single-core\"] }",
            "cortex-m-rt = \"0.7.5\"",
            "defmt = \"1.0\"",
            "defmt-rtt = \"1.0\"",
            "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
            // A Cortex-M0+ has no compare-and-swap: static_cell takes a critical section instead.
            "portable-atomic = { version = \"1.10\", features = [\"critical-section\"] }",
            "rp2040-boot2 = \"0.3\"",
        ],
        boot: "/// The second stage of the boot loader, which sets up the flash.\n\
               #[unsafe(link_section = \".boot2\")]\n\
               #[used]\n\
               static BOOT_LOADER: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;\n\n",
        embassy: Some(Embassy {
            crates: &[
                "cortex-m = \"0.7.7\"",
                "cortex-m-rt = \"0.7.5\"",
                "defmt = \"1.0\"",
                "defmt-rtt = \"1.0\"",
                "embassy-executor = { version = \"0.10\", features = [\"executor-thread\", \"platform-cortex-m\"] }",
                "embassy-rp = { version = \"0.10\", features = [\"critical-section-impl\", \"defmt\", \"rp2040\", \"time-driver\"] }",
                "embassy-time = { version = \"0.5\", features = [\"defmt\"] }",
                "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
                "portable-atomic = { version = \"1.10\", features = [\"critical-section\"] }",
            ],
            hal: "embassy_rp",
            configure: "",
        }),
    },
    Chip {
        name: "rp2350",
        title: "RP2350 (Cortex-M33, up to 150 MHz), 2 MiB of flash",
        triple: "thumbv8m.main-none-eabihf",
        cpu: Some("cortex-m33"),
        start: Start::CortexM,
        flash: Memory { origin: 0x1000_0000, length: 2048 * KIB },
        ram: Memory { origin: 0x2000_0000, length: 512 * KIB },
        large_ram: None,
        code_in_ram: None,
        memory: Some("rp2350.x"),
        runner: "probe-rs run --chip RP235x",
        flashing: OF_A_PICO,
        clock_at_reset: Some("about 11 MHz, of the ring oscillator"),
        crates: CORTEX_M,
        boot: "/// Tells the boot ROM that this is a program for the Arm cores, in secure mode (RP2350 datasheet, minimum Arm IMAGE_DEF).\n\
               #[unsafe(link_section = \".start_block\")]\n\
               #[used]\n\
               static IMAGE_DEFINITION: [u32; 5] = [0xFFFF_DED3, 0x1021_0142, 0x0000_01FF, 0x0000_0000, 0xAB12_3579];\n\n",
        embassy: Some(Embassy {
            crates: &[
                "cortex-m = \"0.7.7\"",
                "cortex-m-rt = \"0.7.5\"",
                "defmt = \"1.0\"",
                "defmt-rtt = \"1.0\"",
                "embassy-executor = { version = \"0.10\", features = [\"executor-thread\", \"platform-cortex-m\"] }",
                "embassy-rp = { version = \"0.10\", features = [\"critical-section-impl\", \"defmt\", \"rp235xa\", \"time-driver\"] }",
                "embassy-time = { version = \"0.5\", features = [\"defmt\"] }",
                "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
            ],
            hal: "embassy_rp",
            configure: "",
        }),
    },
    Chip {
        name: "stm32f411",
        title: "STM32F411CE (Cortex-M4F, up to 100 MHz)",
        triple: "thumbv7em-none-eabihf",
        cpu: Some("cortex-m4"),
        start: Start::CortexM,
        flash: Memory { origin: 0x0800_0000, length: 512 * KIB },
        ram: Memory { origin: 0x2000_0000, length: 128 * KIB },
        large_ram: None,
        code_in_ram: None,
        memory: Some("any.x"),
        runner: "probe-rs run --chip STM32F411CEUx",
        flashing: ON_BOARDS_WITH_A_PROBE,
        clock_at_reset: Some("16 MHz, of the internal oscillator"),
        crates: CORTEX_M,
        boot: "",
        embassy: Some(Embassy {
            crates: &[
                "cortex-m = { version = \"0.7.7\", features = [\"critical-section-single-core\"] }",
                "cortex-m-rt = \"0.7.5\"",
                "defmt = \"1.0\"",
                "defmt-rtt = \"1.0\"",
                "embassy-executor = { version = \"0.10\", features = [\"executor-thread\", \"platform-cortex-m\"] }",
                "embassy-stm32 = { version = \"0.6\", features = [\"defmt\", \"stm32f411ce\", \"time-driver-any\"] }",
                "embassy-time = { version = \"0.5\", features = [\"defmt\", \"tick-hz-32_768\"] }",
                "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
            ],
            hal: "embassy_stm32",
            configure: "// 100 MHz: 16 / 8 · 100 / 2. The HAL leaves the core at the 16 MHz of its start otherwise.\n\
                let mut config = embassy_stm32::Config::default();\n\
                config.rcc.pll_src = PllSource::HSI;\n\
                config.rcc.pll = Some(Pll { prediv: PllPreDiv::DIV8, mul: PllMul::MUL100, divp: Some(PllPDiv::DIV2), divq: None, divr: None });\n\
                config.rcc.apb1_pre = APBPrescaler::DIV2;\n\
                config.rcc.sys = Sysclk::PLL1_P;",
        }),
    },
    Chip {
        name: "stm32h7",
        title: "STM32H743ZI (Cortex-M7, up to 480 MHz)",
        triple: "thumbv7em-none-eabihf",
        cpu: Some("cortex-m7"),
        start: Start::CortexM,
        flash: Memory { origin: 0x0800_0000, length: 2048 * KIB },
        ram: Memory { origin: 0x2000_0000, length: 128 * KIB },
        large_ram: Some(Memory { origin: 0x2400_0000, length: 512 * KIB }),
        code_in_ram: None,
        memory: Some("stm32h7.x"),
        runner: "probe-rs run --chip STM32H743ZITx",
        flashing: ON_BOARDS_WITH_A_PROBE,
        clock_at_reset: Some("64 MHz, of the internal oscillator"),
        crates: CORTEX_M,
        boot: "",
        embassy: Some(Embassy {
            crates: &[
                "cortex-m = { version = \"0.7.7\", features = [\"critical-section-single-core\"] }",
                "cortex-m-rt = \"0.7.5\"",
                "defmt = \"1.0\"",
                "defmt-rtt = \"1.0\"",
                "embassy-executor = { version = \"0.10\", features = [\"executor-thread\", \"platform-cortex-m\"] }",
                "embassy-stm32 = { version = \"0.6\", features = [\"defmt\", \"stm32h743zi\", \"time-driver-any\"] }",
                "embassy-time = { version = \"0.5\", features = [\"defmt\", \"tick-hz-32_768\"] }",
                "panic-probe = { version = \"1.0\", features = [\"print-defmt\"] }",
            ],
            hal: "embassy_stm32",
            configure: "// 400 MHz: 64 / 4 · 50 / 2. The HAL leaves the core at the 64 MHz of its start otherwise; 480 MHz take a newer revision of the chip.\n\
                let mut config = embassy_stm32::Config::default();\n\
                config.rcc.hsi = Some(HSIPrescaler::DIV1);\n\
                config.rcc.pll1 = Some(Pll {\n    source: PllSource::HSI,\n    prediv: PllPreDiv::DIV4,\n    mul: PllMul::MUL50,\n    fracn: None,\n    divp: Some(PllDiv::DIV2),\n    divq: None,\n    divr: None,\n});\n\
                config.rcc.sys = Sysclk::PLL1_P;\n\
                config.rcc.ahb_pre = AHBPrescaler::DIV2;\n\
                (config.rcc.apb1_pre, config.rcc.apb2_pre) = (APBPrescaler::DIV2, APBPrescaler::DIV2);\n\
                (config.rcc.apb3_pre, config.rcc.apb4_pre) = (APBPrescaler::DIV2, APBPrescaler::DIV2);\n\
                config.rcc.voltage_scale = VoltageScale::Scale1;",
        }),
    },
];

/// The names of all chips, for messages.
pub fn names() -> String {
    CHIPS.map(|chip| chip.name).join(", ")
}

/// The chip of a name.
pub fn chip(name: &str) -> Result<&'static Chip, String> {
    CHIPS.iter().find(|chip| chip.name == name).ok_or_else(|| {
        // A part's whole name begins with the chip's. Another chip of its family may have another core, so that it is no hint.
        let lower = name.to_ascii_lowercase();
        let meant = CHIPS.iter().find(|chip| lower.starts_with(chip.name));
        let hint = meant.map_or_else(String::new, |chip| format!("; did you mean {}?", chip.name));
        format!("the chips are {}{hint}", names())
    })
}
