//! Numbers in the form of both protocols.

/// The decimal digits of a number.
pub(crate) fn decimal(mut number: usize, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}

/// The sixteen hexadecimal digits of a number.
pub(crate) fn hexadecimal(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (index, digit) in digits.iter_mut().enumerate() {
        let nibble = (number >> (60 - 4 * index)) & 0xf;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_library_does() {
        for number in [0, 1, 9, 10, 4096, 0xfedc_ba98_7654_3210, u64::MAX] {
            let expected = number.to_string();
            assert_eq!(decimal(number as usize, &mut [0; 20]), expected.as_bytes());
            let expected = format!("{number:016x}");
            assert_eq!(hexadecimal(number), expected.as_bytes());
        }
    }
}
