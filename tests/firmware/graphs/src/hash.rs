/// The hash of nothing: FNV-1a of 64 bits.
const HASH: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of what was hashed before and of these bytes behind it.
fn add(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
