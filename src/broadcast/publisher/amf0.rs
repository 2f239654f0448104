//! AMF0, the form of commands and of named values (Adobe, Action Message Format 0, 2007).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use bytes::{Buf, BufMut};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 8;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// A text.
    Text(String),
    /// Named values, in their order.
    Object(Vec<(String, Value)>),
    /// Named values of an array, in their order.
    Array(Vec<(String, Value)>),
    /// Values without names.
    List(Vec<Value>),
    /// Nothing, said in one of three ways.
    Null,
}

/// Bytes that are no AMF0, or kinds of values that no RTMP server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed AMF0")]
pub struct AmfError;

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
const UNSUPPORTED: u8 = 13;

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The text, when it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value with this name, in an object or array.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let (Self::Object(fields) | Self::Array(fields)) = self else {
            return None;
        };
        let mut fields = fields.iter();
        fields.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Writes the value. Names longer than 65,535 bytes are cut.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.put_u8(NUMBER);
                out.put_f64(*number);
            }
            Self::Boolean(value) => out.put_slice(&[BOOLEAN, u8::from(*value)]),
            Self::Text(text) => write_text(text, out),
            Self::Object(fields) => {
                out.put_u8(OBJECT);
                write_fields(fields, out);
            }
            Self::Array(fields) => {
                out.put_u8(ECMA_ARRAY);
                out.put_u32(u32::try_from(fields.len()).unwrap_or(u32::MAX));
                write_fields(fields, out);
            }
            Self::List(values) => {
                out.put_u8(STRICT_ARRAY);
                out.put_u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
                for value in values {
                    value.write(out);
                }
            }
            Self::Null => out.put_u8(NULL),
        }
    }

    /// Writes values one behind the other.
    pub fn write_all(values: &[Self]) -> Vec<u8> {
        let mut out = Vec::new();
        for value in values {
            value.write(&mut out);
        }
        out
    }

    /// Reads all values up to the end.
    ///
    /// # Errors
    /// [`AmfError`].
    pub fn read_all(mut bytes: &[u8]) -> Result<Vec<Self>, AmfError> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            values.push(read(&mut bytes, 0)?);
        }
        Ok(values)
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(text.len()) {
        out.put_u8(STRING);
        out.put_u16(length);
    } else {
        out.put_u8(LONG_STRING);
        out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    }
    out.put_slice(text.as_bytes());
}

fn write_fields(fields: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in fields {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        out.put_u16(length);
        out.extend(name.bytes().take(length.into()));
        value.write(out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}

fn read(bytes: &mut &[u8], depth: usize) -> Result<Value, AmfError> {
    if depth > MAX_DEPTH {
        return Err(AmfError);
    }
    match bytes.try_get_u8().map_err(|_| AmfError)? {
        NUMBER => Ok(Value::Number(number(bytes)?)),
        BOOLEAN => Ok(Value::Boolean(
            bytes.try_get_u8().map_err(|_| AmfError)? != 0,
        )),
        STRING => Ok(Value::Text(short_text(bytes)?)),
        OBJECT => Ok(Value::Object(fields(bytes, depth)?)),
        NULL | UNDEFINED | UNSUPPORTED => Ok(Value::Null),
        ECMA_ARRAY => {
            // The count is a hint; the end mark decides.
            bytes.try_get_u32().map_err(|_| AmfError)?;
            Ok(Value::Array(fields(bytes, depth)?))
        }
        STRICT_ARRAY => Ok(Value::List(list(bytes, depth)?)),
        DATE => {
            let at = number(bytes)?;
            // A time zone that nobody fills in.
            bytes.try_get_u16().map_err(|_| AmfError)?;
            Ok(Value::Number(at))
        }
        LONG_STRING => {
            let length = bytes.try_get_u32().map_err(|_| AmfError)?;
            text(bytes, usize::try_from(length).unwrap_or(usize::MAX)).map(Value::Text)
        }
        _ => Err(AmfError),
    }
}

fn number(bytes: &mut &[u8]) -> Result<f64, AmfError> {
    bytes.try_get_f64().map_err(|_| AmfError)
}

fn short_text(bytes: &mut &[u8]) -> Result<String, AmfError> {
    let length = bytes.try_get_u16().map_err(|_| AmfError)?;
    text(bytes, usize::from(length))
}

fn text(bytes: &mut &[u8], length: usize) -> Result<String, AmfError> {
    let (text, rest) = bytes.split_at_checked(length).ok_or(AmfError)?;
    *bytes = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn fields(bytes: &mut &[u8], depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
    let mut fields = Vec::new();
    loop {
        if let Some(rest) = bytes.strip_prefix(&[0, 0, OBJECT_END]) {
            *bytes = rest;
            return Ok(fields);
        }
        let name = short_text(bytes)?;
        fields.push((name, read(bytes, depth.saturating_add(1))?));
    }
}

fn list(bytes: &mut &[u8], depth: usize) -> Result<Vec<Value>, AmfError> {
    let count = bytes.try_get_u32().map_err(|_| AmfError)?;
    // Each value takes a byte or more, so that a false count ends by itself.
    let depth = depth.saturating_add(1);
    (0..count).map(|_| read(bytes, depth)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(|number| Value::Number(f64::from(number))),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::Text),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let named = prop::collection::vec(("[a-z]{1,8}", inner.clone()), 0..4);
            prop_oneof![
                named.clone().prop_map(Value::Object),
                named.prop_map(Value::Array),
                prop::collection::vec(inner, 0..4).prop_map(Value::List),
            ]
        })
    }

    #[test]
    fn amf_bytes_are_those_of_the_specification() {
        let connect = [
            Value::text("connect"),
            Value::Number(1.0),
            Value::Object(vec![("app".to_owned(), Value::text("live"))]),
        ];
        let expected =
            b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09";
        assert_eq!(Value::write_all(&connect), expected);
        assert_eq!(Value::read_all(expected).unwrap(), connect);
        assert_eq!(
            connect[2].field("app").and_then(Value::as_text),
            Some("live")
        );
    }

    #[test]
    fn amf_text_longer_than_its_short_form_survives() {
        let long = [Value::Text("x".repeat(70_000))];
        assert_eq!(Value::read_all(&Value::write_all(&long)).unwrap(), long);
    }

    #[test]
    fn amf_deep_nesting_and_false_lengths_are_refused() {
        let deep = [OBJECT, 0, 1, b'a'].repeat(1000);
        assert_eq!(Value::read_all(&deep), Err(AmfError));
        for bytes in [
            &b"\x0c\xff\xff\xff\xffab"[..],
            b"\x0a\xff\xff\xff\xff\x05",
            b"\x02\0\x05ab",
            b"\x11",
        ] {
            assert_eq!(Value::read_all(bytes), Err(AmfError));
        }
    }

    proptest! {
        #[test]
        fn amf_is_read_as_written(values in prop::collection::vec(any_value(), 0..5)) {
            prop_assert_eq!(Value::read_all(&Value::write_all(&values)).unwrap(), values);
        }

        #[test]
        fn amf_of_any_bytes_never_panics(bytes: Vec<u8>) {
            let _ = Value::read_all(&bytes);
        }
    }
}
