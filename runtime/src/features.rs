//! Deno's unstable features that change how duplex behaves.

/// Which unstable features are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `sloppy-imports`: a path in an import may lack its extension, or name a folder that has an
    /// index file.
    pub sloppy_imports: bool,
    /// `unsafe-proto`: the accessor `Object.prototype.__proto__` stays.
    pub unsafe_proto: bool,
}

impl Features {
    /// Whether duplex knows an unstable feature of this name.
    ///
    /// ```
    /// assert!(duplex_runtime::Features::has("unsafe-proto"));
    /// assert!(!duplex_runtime::Features::has("kv"));
    /// ```
    pub fn has(name: &str) -> bool {
        Self::named([name]) != Self::default()
    }

    /// The features with these names. Other names are ignored.
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

    /// The command-line flags for the features that are on.
    pub fn flags(self) -> Vec<String> {
        let named = [
            (self.sloppy_imports, "--unstable-sloppy-imports"),
            (self.unsafe_proto, "--unstable-unsafe-proto"),
        ];
        let on = named.into_iter().filter(|(is_on, _)| *is_on);
        on.map(|(_, flag)| flag.to_string()).collect()
    }
}
