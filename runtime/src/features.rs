//! Deno's unstable features that change something here when they are asked for.

/// Which of them are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `sloppy-imports`: a path in an import may lack its extension, or name a folder with
    /// an index file.
    pub sloppy_imports: bool,
    /// `unsafe-proto`: the accessor `Object.prototype.__proto__` stays.
    pub unsafe_proto: bool,
}

impl Features {
    /// Whether a feature is one of these.
    ///
    /// ```
    /// assert!(duplex_runtime::Features::has("unsafe-proto"));
    /// assert!(!duplex_runtime::Features::has("kv"));
    /// ```
    pub fn has(name: &str) -> bool {
        Self::named([name]) != Self::default()
    }

    /// Those that the names are of; other names change nothing.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut features = Self::default();
        for name in names {
            match name {
                "sloppy-imports" => features.sloppy_imports = true,
                "unsafe-proto" => features.unsafe_proto = true,
                _ => {}
            }
        }
        features
    }

    /// The flags of the command line that ask for those that are on.
    pub fn flags(self) -> Vec<String> {
        let named = [
            (self.sloppy_imports, "--unstable-sloppy-imports"),
            (self.unsafe_proto, "--unstable-unsafe-proto"),
        ];
        let on = named.into_iter().filter(|(is_on, _)| *is_on);
        on.map(|(_, flag)| flag.to_string()).collect()
    }
}
