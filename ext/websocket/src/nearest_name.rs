//! Finds the name that a program meant by a name that does not exist.

use deno_core::op2;

/// The element of `names` that `name` most likely stands for, or null if none is near enough.
#[op2]
#[string]
pub(crate) fn op_ws_nearest_name(
    #[string] name: &str,
    #[scoped] names: Vec<String>,
) -> Option<String> {
    nearest(name, names)
}

fn nearest(name: &str, names: Vec<String>) -> Option<String> {
    let lower = name.to_lowercase();
    // A third of the letters may differ. With more differences it is another
    // word.
    let most = (lower.chars().count() / 3).max(1);
    let distance = |it: &str| match it.to_lowercase() {
        it if lower.len() >= 4 && it.starts_with(&lower) => 0,
        it => strsim::osa_distance(&lower, &it),
    };
    names
        .into_iter()
        .map(|it| (distance(&it), it))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_is_near_is_meant() {
        let names = || {
            ["idleTimeout", "maxPayloadLength", "port"]
                .map(String::from)
                .to_vec()
        };
        let meant = |name| nearest(name, names());
        assert_eq!(meant("idletimeout").as_deref(), Some("idleTimeout"));
        assert_eq!(meant("maxPayload").as_deref(), Some("maxPayloadLength"));
        assert_eq!(
            meant("maxPayloadLenght").as_deref(),
            Some("maxPayloadLength")
        );
        assert_eq!(meant("prot").as_deref(), Some("port"));
        assert_eq!(meant("host"), None);
        assert_eq!(meant(""), None);
    }
}
