//! Masking of client-to-server payloads (RFC 6455 section 5.3).

/// A masking key. The client draws a fresh, unpredictable key for each frame
/// (RFC 6455 section 10.3).
pub type MaskKey = [u8; 4];

/// Masks `buf` in place, or unmasks `buf`: the operation is its own inverse.
/// `offset` is the position of `buf` in the frame's payload.
#[inline]
pub fn apply_mask(buf: &mut [u8], key: MaskKey, offset: usize) {
    xor::<false>(buf, rotated(key, offset));
}

/// Like [`apply_mask`], and returns whether the result is pure ASCII. The check
/// costs almost nothing while the bytes pass through registers.
#[inline]
pub fn apply_mask_checking_ascii(buf: &mut [u8], key: MaskKey, offset: usize) -> bool {
    xor::<true>(buf, rotated(key, offset)) & HIGH_BITS == 0
}

/// The key, turned to the position `offset` of the payload, and repeated twice.
/// The least significant byte comes first.
#[inline(always)]
fn rotated(key: MaskKey, offset: usize) -> u64 {
    let key = u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32);
    u64::from(key) << 32 | u64::from(key)
}

/// Applies the key. Returns all resulting bytes or-ed into lanes. Without
/// `SEEN` the result of a long buffer is incomplete.
///
/// Lengths vary, and a processor predicts branches on them badly, so this code
/// has few branches. Two chunks, which overlap if the length is not a multiple
/// of theirs, do the work of a loop over words and a loop over bytes.
#[inline(always)]
fn xor<const SEEN: bool>(buf: &mut [u8], key: u64) -> u64 {
    match buf.len() {
        0..4 => {
            let mut seen = 0;
            for (byte, key) in buf.iter_mut().zip(key.to_le_bytes()) {
                *byte ^= key;
                seen |= u64::from(*byte);
            }
            seen
        }
        4..8 => xor_ends::<4>(buf, key),
        8..16 => xor_ends::<8>(buf, key),
        16..32 => xor_ends::<16>(buf, key),
        32..=64 => xor_ends::<32>(buf, key),
        _ => xor_long::<SEEN>(buf, key),
    }
}

/// Applies the key to more than a block, with the widest registers of the
/// machine.
#[inline(never)]
fn xor_long<const SEEN: bool>(buf: &mut [u8], key: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: this machine has AVX2.
        return unsafe { xor_avx2::<SEEN>(buf, key) };
    }
    xor_blocks::<SEEN>(buf, key)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn xor_avx2<const SEEN: bool>(buf: &mut [u8], key: u64) -> u64 {
    xor_blocks::<SEEN>(buf, key)
}

/// The loop over blocks. The compiler makes vector instructions of the loop.
#[inline(always)]
fn xor_blocks<const SEEN: bool>(buf: &mut [u8], key: u64) -> u64 {
    let tail_key = key.rotate_right(8 * (buf.len() % 4) as u32);
    // The last block may overlap the block before, so the last block is read
    // before any block changes.
    let Some(tail) = buf.last_chunk().map(|tail| xored::<BLOCK>(tail, tail_key)) else {
        return 0;
    };
    let mut seen = [0; BLOCK / 8];
    for block in buf.as_chunks_mut::<BLOCK>().0 {
        for (bytes, seen) in block.as_chunks_mut().0.iter_mut().zip(&mut seen) {
            let result = u64::from_le_bytes(*bytes) ^ key;
            *bytes = result.to_le_bytes();
            if SEEN {
                *seen |= result;
            }
        }
    }
    if let Some(end) = buf.last_chunk_mut() {
        *end = tail;
    }
    seen.into_iter().fold(or(&tail), |all, lane| all | lane)
}

/// Applies the key to the first `N` bytes and to the last `N` bytes, which may
/// overlap. `N` is a multiple of the key's length.
#[inline(always)]
fn xor_ends<const N: usize>(buf: &mut [u8], key: u64) -> u64 {
    let tail_key = key.rotate_right(8 * (buf.len() % 4) as u32);
    let (Some(head), Some(tail)) = (buf.first_chunk::<N>(), buf.last_chunk::<N>()) else {
        return 0;
    };
    let (head, tail) = (xored(head, key), xored(tail, tail_key));
    if let Some(start) = buf.first_chunk_mut() {
        *start = head;
    }
    if let Some(end) = buf.last_chunk_mut() {
        *end = tail;
    }
    or(&head) | or(&tail)
}

#[inline(always)]
fn xored<const N: usize>(chunk: &[u8; N], key: u64) -> [u8; N] {
    let mut chunk = *chunk;
    for bytes in chunk.as_chunks_mut().0 {
        *bytes = (u32::from_le_bytes(*bytes) ^ key as u32).to_le_bytes();
    }
    chunk
}

/// All words of `chunk` or-ed together.
#[inline(always)]
fn or<const N: usize>(chunk: &[u8; N]) -> u64 {
    let words = chunk.as_chunks().0.iter();
    words.fold(0, |seen, bytes| {
        seen | u64::from(u32::from_le_bytes(*bytes))
    })
}

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes a step of the loop takes: a cache line.
const BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

    /// The text of section 5.3, byte by byte.
    fn reference(buf: &mut [u8], key: MaskKey, offset: usize) {
        for (i, byte) in buf.iter_mut().enumerate() {
            *byte ^= key[(i + offset) % 4];
        }
    }

    #[test]
    fn rfc_example() {
        let mut buf = *b"\x7f\x9f\x4d\x51\x58";
        apply_mask(&mut buf, KEY, 0);
        assert_eq!(&buf, b"Hello");
    }

    #[test]
    fn every_length_alignment_and_offset() {
        let source: Vec<u8> = (0..=255).cycle().take(300).collect();
        for start in 0..9 {
            for len in 0..200 {
                for offset in 0..5 {
                    let mut expected = source.clone();
                    reference(&mut expected[start..start + len], KEY, offset);
                    let mut actual = source.clone();
                    apply_mask(&mut actual[start..start + len], KEY, offset);
                    assert_eq!(actual, expected, "{start} {len} {offset}");
                }
            }
        }
    }

    #[test]
    fn without_wide_registers() {
        // The code for machines without AVX2.
        for len in BLOCK..5 * BLOCK {
            for (mut buf, is_ascii) in [(vec![0x7f; len], true), (vec![0x80; len], false)] {
                let plain = buf.clone();
                reference(&mut buf, KEY, 1);
                let seen = xor_blocks::<true>(&mut buf, rotated(KEY, 1));
                assert_eq!(buf, plain);
                assert_eq!(seen & HIGH_BITS == 0, is_ascii);
            }
        }
    }

    #[test]
    fn a_split_payload_is_the_whole() {
        let source: Vec<u8> = (0..=255).collect();
        let mut whole = source.clone();
        apply_mask(&mut whole, KEY, 0);
        for at in 0..source.len() {
            let mut parts = source.clone();
            let (head, tail) = parts.split_at_mut(at);
            apply_mask(head, KEY, 0);
            apply_mask(tail, KEY, at);
            assert_eq!(parts, whole);
        }
    }

    #[test]
    fn ascii_is_found_wherever_it_ends() {
        for len in 0..300 {
            let mut ascii = vec![0x7f; len];
            reference(&mut ascii, KEY, 3);
            assert!(apply_mask_checking_ascii(&mut ascii.clone(), KEY, 3));
            for at in 0..len {
                let mut other = vec![0; len];
                other[at] = 0x80;
                reference(&mut other, KEY, 3);
                assert!(!apply_mask_checking_ascii(&mut other, KEY, 3));
            }
        }
    }
}
