//! The frame header (RFC 6455 section 5.2).

use crate::error::ProtocolError;
use crate::mask::MaskKey;

/// The longest payload of a control frame, in bytes (section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// Which end of the connection this is. It decides the mask rule: a client
/// masks what it sends, a server does not (section 5.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message in progress.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The last frame of a direction.
    Close = 0x8,
    /// A request to answer with a Pong.
    Ping = 0x9,
    /// The answer to a Ping, or an unsolicited sign of life.
    Pong = 0xa,
}

impl Opcode {
    /// Whether this is Close, Ping or Pong (section 5.5).
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }

    const fn from_bits(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            reserved => return Err(ProtocolError::ReservedOpcode(reserved)),
        })
    }
}

/// A frame without its payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameHeader {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The reserved bit that an extension may give a meaning:
    /// permessage-deflate marks compressed messages with this bit (RFC 7692
    /// section 6).
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key, which frames from a client have.
    pub mask: Option<MaskKey>,
    /// The length of the payload, in bytes; less than 2^63.
    pub payload_length: u64,
}

impl FrameHeader {
    /// The longest encoded header, in bytes.
    pub const MAX_LENGTH: usize = 14;

    /// Reads a header that `role` receives from the start of `bytes`. Returns
    /// the header with its length on the wire, or `None` if more bytes are
    /// needed. A rule that the first bytes break is reported without waiting
    /// for the rest.
    ///
    /// # Errors
    ///
    /// A [`ProtocolError`] if RSV2 or RSV3 is set, the opcode is reserved, the
    /// mask bit does not fit the role, a control frame is fragmented or longer
    /// than [`MAX_CONTROL_PAYLOAD`], or the length is not minimally encoded or
    /// exceeds 63 bits. The caller judges RSV1.
    #[inline(always)]
    pub fn decode(bytes: &[u8], role: Role) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        if first & (RSV2 | RSV3) != 0 {
            return Err(ProtocolError::ReservedBits);
        }
        let fin = first & FIN != 0;
        let rsv1 = first & RSV1 != 0;
        let opcode = Opcode::from_bits(first & OPCODE)?;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::ControlFragmented);
        }

        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        let masked = second & MASK != 0;
        match role {
            Role::Server if !masked => return Err(ProtocolError::MaskRequired),
            Role::Client if masked => return Err(ProtocolError::MaskForbidden),
            Role::Server | Role::Client => {}
        }
        let short = second & LENGTH;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL_PAYLOAD {
            return Err(ProtocolError::ControlTooLong);
        }

        let rest = &bytes[2..];
        let (payload_length, rest) = match short {
            LENGTH_16 => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                let length = u64::from(u16::from_be_bytes(*length));
                if length <= u64::from(MAX_SHORT_LENGTH) {
                    return Err(ProtocolError::LengthNotMinimal);
                }
                (length, rest)
            }
            LENGTH_64 => {
                let Some((length, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                let length = u64::from_be_bytes(*length);
                if length <= u64::from(u16::MAX) {
                    return Err(ProtocolError::LengthNotMinimal);
                }
                if length > MAX_LENGTH {
                    return Err(ProtocolError::LengthOverflow);
                }
                (length, rest)
            }
            short => (u64::from(short), rest),
        };
        let (mask, rest) = if masked {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (Some(*key), rest)
        } else {
            (None, rest)
        };

        let header = Self {
            fin,
            rsv1,
            opcode,
            mask,
            payload_length,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// The header as it goes on the wire, and its length: 2-14 bytes.
    ///
    /// The caller, such as the [encoder](crate::encoder), ensures that a
    /// control frame is short and not fragmented.
    #[inline]
    pub fn encode(&self) -> ([u8; Self::MAX_LENGTH], usize) {
        // The header is made in a register. Callers read all of its bytes together, and a processor
        // delays such a read if the bytes were written one by one.
        let mut header = u128::from(self.opcode as u8);
        if self.fin {
            header |= u128::from(FIN);
        }
        if self.rsv1 {
            header |= u128::from(RSV1);
        }
        let mut end = 2;
        if self.payload_length <= u64::from(MAX_SHORT_LENGTH) {
            header |= u128::from(self.payload_length) << 8;
        } else if let Ok(length) = u16::try_from(self.payload_length) {
            header |= u128::from(LENGTH_16) << 8 | u128::from(length.swap_bytes()) << 16;
            end = 4;
        } else {
            let length = self.payload_length.swap_bytes();
            header |= u128::from(LENGTH_64) << 8 | u128::from(length) << 16;
            end = 10;
        }
        if let Some(key) = self.mask {
            let key = u32::from_le_bytes(key);
            header |= u128::from(MASK) << 8 | u128::from(key) << (8 * end);
            end += 4;
        }
        let mut bytes = [0; Self::MAX_LENGTH];
        bytes.copy_from_slice(&header.to_le_bytes()[..Self::MAX_LENGTH]);
        (bytes, end)
    }

    /// The length that [`encode`](Self::encode) returns for a payload of
    /// `payload_length` bytes.
    pub const fn encoded_length(payload_length: u64, masked: bool) -> usize {
        let key = if masked { 4 } else { 0 };
        if payload_length <= MAX_SHORT_LENGTH as u64 {
            2 + key
        } else if payload_length <= u16::MAX as u64 {
            4 + key
        } else {
            10 + key
        }
    }
}

const FIN: u8 = 0b1000_0000;
pub(crate) const RSV1: u8 = 0b0100_0000;
const RSV2: u8 = 0b0010_0000;
const RSV3: u8 = 0b0001_0000;
const OPCODE: u8 = 0b0000_1111;
const MASK: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;
const MAX_SHORT_LENGTH: u8 = 125;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;
const MAX_LENGTH: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

    fn decode(bytes: &[u8], role: Role) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        FrameHeader::decode(bytes, role)
    }

    #[test]
    fn rfc_examples() {
        // Section 5.7.
        let text = |fin, opcode, mask| FrameHeader {
            fin,
            rsv1: false,
            opcode,
            mask,
            payload_length: 5,
        };
        assert_eq!(
            decode(b"\x81\x05Hello", Role::Client),
            Ok(Some((text(true, Opcode::Text, None), 2)))
        );
        assert_eq!(
            decode(
                b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                Role::Server
            ),
            Ok(Some((text(true, Opcode::Text, Some(KEY)), 6)))
        );
        let (header, _) = decode(b"\x01\x03Hel", Role::Client).unwrap().unwrap();
        assert!(!header.fin);
        let (header, _) = decode(b"\x80\x02lo", Role::Client).unwrap().unwrap();
        assert_eq!((header.fin, header.opcode), (true, Opcode::Continuation));
        let (header, _) = decode(b"\x89\x05Hello", Role::Client).unwrap().unwrap();
        assert_eq!(header.opcode, Opcode::Ping);
        let (header, len) = decode(b"\x82\x7e\x01\x00", Role::Client).unwrap().unwrap();
        assert_eq!((header.payload_length, len), (256, 4));
        let (header, len) = decode(b"\x82\x7f\0\0\0\0\0\x01\0\0", Role::Client)
            .unwrap()
            .unwrap();
        assert_eq!((header.payload_length, len), (65536, 10));
    }

    #[test]
    fn round_trip_in_any_piece() {
        for role in [Role::Client, Role::Server] {
            let mask = (role == Role::Server).then_some(KEY);
            for opcode in [
                Opcode::Continuation,
                Opcode::Text,
                Opcode::Binary,
                Opcode::Close,
                Opcode::Ping,
                Opcode::Pong,
            ] {
                for payload_length in [0, 1, 125, 126, 127, 65535, 65536, u64::MAX >> 1] {
                    let control = opcode.is_control();
                    if control && payload_length > 125 {
                        continue;
                    }
                    for (fin, rsv1) in [(true, false), (true, true), (control, false)] {
                        let header = FrameHeader {
                            fin,
                            rsv1,
                            opcode,
                            mask,
                            payload_length,
                        };
                        let (bytes, len) = header.encode();
                        assert_eq!(
                            len,
                            FrameHeader::encoded_length(payload_length, mask.is_some())
                        );
                        assert_eq!(decode(&bytes[..len], role), Ok(Some((header, len))));
                        for cut in 0..len {
                            assert_eq!(decode(&bytes[..cut], role), Ok(None));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn reserved_bits() {
        for bits in [0b1010_0001, 0b1001_0001, 0b1111_0001] {
            assert_eq!(
                decode(&[bits], Role::Client),
                Err(ProtocolError::ReservedBits)
            );
        }
    }

    #[test]
    fn reserved_opcodes() {
        for opcode in (3..8).chain(11..16) {
            assert_eq!(
                decode(&[FIN | opcode], Role::Client),
                Err(ProtocolError::ReservedOpcode(opcode))
            );
        }
    }

    #[test]
    fn mask_by_role() {
        assert_eq!(
            decode(&[0x81, 0x05], Role::Server),
            Err(ProtocolError::MaskRequired)
        );
        assert_eq!(
            decode(&[0x81, 0x85], Role::Client),
            Err(ProtocolError::MaskForbidden)
        );
    }

    #[test]
    fn control_frames_are_short_and_whole() {
        for opcode in [8, 9, 10] {
            assert_eq!(
                decode(&[opcode], Role::Client),
                Err(ProtocolError::ControlFragmented)
            );
            for length in [126, 127] {
                assert_eq!(
                    decode(&[FIN | opcode, length], Role::Client),
                    Err(ProtocolError::ControlTooLong)
                );
            }
        }
    }

    #[test]
    fn lengths_are_minimal() {
        for length in [0u16, 1, 125] {
            let [a, b] = length.to_be_bytes();
            assert_eq!(
                decode(&[0x82, 126, a, b], Role::Client),
                Err(ProtocolError::LengthNotMinimal)
            );
        }
        for length in [0u64, 125, 126, 65535] {
            let mut bytes = vec![0x82, 127];
            bytes.extend(length.to_be_bytes());
            assert_eq!(
                decode(&bytes, Role::Client),
                Err(ProtocolError::LengthNotMinimal)
            );
        }
    }

    #[test]
    fn length_of_64_bits() {
        let mut bytes = vec![0x82, 127];
        bytes.extend((1u64 << 63).to_be_bytes());
        assert_eq!(
            decode(&bytes, Role::Client),
            Err(ProtocolError::LengthOverflow)
        );
    }
}
