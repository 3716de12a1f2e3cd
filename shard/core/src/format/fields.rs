//! Little-endian fields at fixed places of a header whose length was checked before.

/// Writes `field` at `at`.
///
/// # Panics
/// If the field lies outside `bytes`.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes.get_mut(at..at + field.len()).expect("the field lies in the header").copy_from_slice(field);
}

/// The `u16` at `at`.
///
/// # Panics
/// If the field lies outside `bytes`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

/// The `u32` at `at`.
///
/// # Panics
/// If the field lies outside `bytes`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// The `u64` at `at`.
///
/// # Panics
/// If the field lies outside `bytes`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// The `i64` at `at`.
///
/// # Panics
/// If the field lies outside `bytes`.
pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(array_at(bytes, at))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().expect("the field lies in the header")
}
