//! The UART of the micro:bit's nRF51822, as far as bytes come in. Register addresses are those of the nRF51 Series Reference Manual, chapter 29.

/// Base address of the UART.
const UART: usize = 0x4000_2000;
/// Starts the receiver.
const START_RECEIVER: usize = UART;
/// Is 1 when a byte has come; writing 0 waits for the next one.
const BYTE_IS_THERE: usize = UART + 0x108;
/// 4 switches the UART on.
const ENABLE: usize = UART + 0x500;
/// The byte that has come.
const BYTE: usize = UART + 0x518;

/// The UART, which receives.
pub struct Uart(());

impl Uart {
    /// Switches the receiver on.
    pub fn start() -> Self {
        write(ENABLE, 4);
        write(START_RECEIVER, 1);
        Self(())
    }

    /// Waits for bytes; gives how many it read, which are all that were asked for.
    ///
    /// # Errors
    /// None: it waits.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        for byte in bytes.iter_mut() {
            while read(BYTE_IS_THERE) == 0 {}
            write(BYTE_IS_THERE, 0);
            *byte = read(BYTE) as u8;
        }
        Ok(bytes.len())
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: one of the registers above, which are there on this board and can be read at any time.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: one of the registers above, which are there on this board; none of them lets the UART write to memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}
