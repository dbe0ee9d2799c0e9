//! Masking of client-to-server payloads (RFC 6455 section 5.3).

/// A masking key. The client draws a fresh, unpredictable one for each frame.
pub type MaskKey = [u8; 4];

/// Masks `buf` in place, or unmasks it: the operation is its own inverse.
/// `offset` is the position of `buf` in the frame's payload.
pub fn apply_mask(buf: &mut [u8], key: MaskKey, offset: usize) {
    xor(buf, key, offset);
}

/// Like [`apply_mask`]; tells whether the result is pure ASCII, which costs
/// next to nothing while the bytes pass through registers.
pub fn apply_mask_checking_ascii(buf: &mut [u8], key: MaskKey, offset: usize) -> bool {
    xor(buf, key, offset) & HIGH_BITS == 0
}

/// Applies the mask and returns all resulting bytes or-ed into lanes. Inlined
/// so that the accumulation vanishes where the caller drops it.
#[inline(always)]
fn xor(buf: &mut [u8], key: MaskKey, offset: usize) -> u64 {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| key[(offset + i) % 4]);
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);

    // Blocks are four words, so that the compiler makes vectors of them. Block
    // and word are multiples of the key's length: the key's phase stays.
    let mut seen = [0u64; 4];
    let (blocks, rest) = buf.as_chunks_mut::<32>();
    for block in blocks {
        for (bytes, seen) in block.as_chunks_mut::<8>().0.iter_mut().zip(&mut seen) {
            let plain = u64::from_ne_bytes(*bytes) ^ word;
            *seen |= plain;
            *bytes = plain.to_ne_bytes();
        }
    }
    let mut seen = seen[0] | seen[1] | seen[2] | seen[3];

    let (words, rest) = rest.as_chunks_mut::<8>();
    for bytes in words {
        let plain = u64::from_ne_bytes(*bytes) ^ word;
        seen |= plain;
        *bytes = plain.to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
        seen |= u64::from(*byte);
    }
    seen
}

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

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
        for len in 0..100 {
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
