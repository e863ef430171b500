//! A file of the host, read over semihosting.

use core::ffi::CStr;

use semihosting::io::Read;

/// Longest path, its end included.
const LONGEST: usize = 256;

/// An open file.
pub struct File(semihosting::fs::File);

impl File {
    /// Opens a file for reading; `None` when that cannot be done.
    pub fn open(path: &str) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..path.len())?.copy_from_slice(path.as_bytes());
        let path = CStr::from_bytes_until_nul(&bytes).ok()?;
        semihosting::fs::File::open(path).ok().map(Self)
    }

    /// Reads bytes; gives how many, 0 at the end.
    ///
    /// # Errors
    /// When the host cannot read.
    pub fn read(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        self.0.read(bytes).map_err(|_| "the file cannot be read")
    }
}
