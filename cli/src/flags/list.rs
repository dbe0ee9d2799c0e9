//! Flags whose value is a comma-separated list.

/// The value of a flag without a value, such as `--allow-net`. No argument can contain this
/// character.
pub(super) const ALL: &str = "\0";

/// A value that is not valid for its flag.
#[derive(Debug)]
pub(super) struct InvalidValue {
    pub(super) flag: String,
    pub(super) value: String,
    pub(super) reason: String,
}

/// Splits the values of a flag at commas. Two commas stand for one comma in an item. If the flag is
/// also given without a value, the list is empty, which means everything.
pub(super) fn list(
    flag: &str,
    values: Option<Vec<String>>,
    parse: impl Fn(&str) -> Result<Vec<String>, String>,
) -> Result<Option<Vec<String>>, InvalidValue> {
    let Some(values) = values else {
        return Ok(None);
    };
    let mut list = Vec::new();
    for value in values.iter().filter(|value| *value != ALL) {
        for item in split_commas(value) {
            let parsed = if item.is_empty() {
                Err("empty values are not allowed".to_string())
            } else {
                parse(&item)
            };
            list.extend(parsed.map_err(|reason| InvalidValue {
                flag: flag.to_string(),
                value: value.to_string(),
                reason,
            })?);
        }
    }
    if values.iter().any(|value| value == ALL) {
        list.clear();
    }
    Ok(Some(list))
}

pub(super) fn split_commas(value: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        if character == ',' && characters.next_if_eq(&',').is_none() {
            items.push(String::new());
        } else if let Some(item) = items.last_mut() {
            item.push(character);
        }
    }
    items
}
