use super::*;
use deno_core::url::Url;
use deno_permissions::PermissionsOptions;

/// A folder of modules that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let path =
            std::env::temp_dir().join(format!("duplex-loader-{}-{name}", std::process::id()));
        for (file, text) in files {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        Self(path)
    }

    fn url(&self, file: &str) -> Url {
        Url::from_file_path(self.0.join(file)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn loader(import_map: Option<&str>) -> DuplexModuleLoader {
    let none = PermissionsOptions::default();
    let permissions = crate::permissions::from_options(&none).unwrap();
    let mut options = ModuleLoaderOptions::new(permissions);
    options.import_map = import_map.map(|json| {
        let base = Url::parse("file:///map.json").unwrap();
        ::import_map::parse_from_json(base, json)
            .unwrap()
            .import_map
    });
    DuplexModuleLoader::new(options)
}

fn load(
    loader: &DuplexModuleLoader,
    url: &Url,
    referrer: Option<&Url>,
    is_dynamic_import: bool,
    requested_module_type: RequestedModuleType,
) -> Result<ModuleSource, ModuleLoaderError> {
    let referrer = referrer.map(|specifier| ModuleLoadReferrer {
        specifier: specifier.clone(),
        line_number: 7,
        column_number: 7,
    });
    let options = ModuleLoadOptions {
        is_dynamic_import,
        is_synchronous: false,
        requested_module_type,
    };
    match loader.load(url, referrer.as_ref(), options) {
        ModuleLoadResponse::Sync(result) => result,
        ModuleLoadResponse::Async(_) => panic!("loading does not wait"),
    }
}

fn text(source: ModuleSource) -> String {
    String::from_utf8(source.code.as_bytes().to_vec()).unwrap()
}

#[test]
fn resolves_paths_urls_and_the_import_map() {
    let map =
        r#"{ "imports": { "lib": "./lib.ts" }, "scopes": { "/in/": { "lib": "./other.ts" } } }"#;
    let loader = loader(Some(map));
    let resolve = |specifier: &str, referrer: &str| {
        loader
            .resolve(specifier, referrer, ResolutionKind::Import)
            .map(String::from)
    };
    assert_eq!(
        resolve("./b.ts", "file:///a/a.ts").unwrap(),
        "file:///a/b.ts"
    );
    assert_eq!(resolve("lib", "file:///a.ts").unwrap(), "file:///lib.ts");
    assert_eq!(
        resolve("lib", "file:///in/a.ts").unwrap(),
        "file:///other.ts"
    );
    let error = resolve("missing", "file:///a.ts").unwrap_err();
    assert!(error.get_message().contains("\"missing\""));
    assert!(error.get_message().contains("hint:"));
    // The import map does not apply to the main module, which the user named.
    let main = loader.resolve("file:///lib", ".", ResolutionKind::MainModule);
    assert_eq!(main.unwrap().as_str(), "file:///lib");
}

#[test]
fn errors_name_the_import() {
    let folder = Folder::with(
        "errors",
        &[
            (
                "main.ts",
                "const a: number = 1;\nimport { b } from \"./b\";\nimport \"bare\";\n",
            ),
            ("b.ts", "export const b = 1;"),
        ],
    );
    let loader = loader(None);
    let main = folder.url("main.ts");
    load(&loader, &main, None, false, RequestedModuleType::None).unwrap();
    let error = load(
        &loader,
        &folder.url("b"),
        Some(&main),
        false,
        RequestedModuleType::None,
    )
    .unwrap_err();
    assert_eq!(error.get_class(), "TypeError");
    assert_eq!(
        error.get_message(),
        format!(
            "Module not found \"{}\". Maybe add a '.ts' extension.\n    at {main}:2:19",
            folder.url("b")
        )
    );
    let error = loader
        .resolve("bare", main.as_str(), ResolutionKind::Import)
        .unwrap_err();
    assert!(error.get_message().ends_with(&format!("    at {main}:3:8")));
}

#[test]
fn transpiles_and_keeps_the_way_back() {
    let folder = Folder::with("ts", &[("a.ts", "interface A {}\nthrow 1 as A;")]);
    let loader = loader(None);
    let url = folder.url("a.ts");
    let source = load(&loader, &url, None, false, RequestedModuleType::None).unwrap();
    assert_eq!(text(source).trim(), "throw 1;");
    assert!(loader.get_source_map(url.as_str()).is_some());
    assert_eq!(
        loader
            .get_source_mapped_source_line(url.as_str(), 1)
            .unwrap(),
        "throw 1 as A;"
    );
    assert_eq!(loader.get_source_mapped_source_line(url.as_str(), 9), None);
}

#[test]
fn import_attributes_choose_the_kind() {
    let folder = Folder::with(
        "types",
        &[("a.js", ""), ("a.json", "{}"), ("a.txt", "\u{feff}é")],
    );
    let loader = loader(None);
    let load = |file: &str, requested| load(&loader, &folder.url(file), None, false, requested);
    load("a.js", RequestedModuleType::None).unwrap();
    let json = load("a.json", RequestedModuleType::Json).unwrap();
    assert_eq!(json.module_type, ModuleType::Json);
    assert_eq!(text(load("a.txt", RequestedModuleType::Text).unwrap()), "é");
    let bytes = load("a.txt", RequestedModuleType::Bytes).unwrap();
    assert_eq!(bytes.code.as_bytes().len(), 5);
    let error = load("a.json", RequestedModuleType::None).unwrap_err();
    assert!(error.get_message().contains("type: \"json\""));
    assert!(load("a.js", RequestedModuleType::Json).is_err());
    assert!(load("a.txt", RequestedModuleType::None).is_err());
}

#[test]
fn data_urls() {
    let loader = loader(None);
    let load =
        |url: &str, requested| load(&loader, &Url::parse(url).unwrap(), None, false, requested);
    let code = load(
        "data:text/typescript,let a: number;",
        RequestedModuleType::None,
    );
    assert_eq!(text(code.unwrap()).trim(), "let a;");
    let code = load(
        "data:application/javascript;base64,MQ==",
        RequestedModuleType::None,
    );
    assert_eq!(text(code.unwrap()), "1");
    load("data:application/json,{}", RequestedModuleType::Json).unwrap();
    assert!(load("data:;base64,*", RequestedModuleType::Text).is_err());
}

#[test]
fn names_of_no_module_are_refused() {
    let loader = loader(None);
    for (specifier, word) in [
        ("ext:core/mod.js", "\"ext:\" modules"),
        ("node:internal/util", "built-in module"),
        ("node:deno_std/ws", "built-in module"),
    ] {
        for referrer in ["file:///a.js", "data:text/javascript,1", "ext:x/a.js"] {
            let error = loader
                .resolve(specifier, referrer, ResolutionKind::Import)
                .unwrap_err();
            let message = error.get_message();
            assert!(message.contains(word), "{specifier}: {message}");
        }
    }
    let url = Url::parse("gopher://a/b").unwrap();
    let error = load(&loader, &url, None, false, RequestedModuleType::None).unwrap_err();
    assert!(error.get_message().contains("\"gopher:\" modules"));
    let resolved = loader.resolve("node:fs", "file:///a.js", ResolutionKind::Import);
    assert_eq!(resolved.unwrap().as_str(), "node:fs");
}

#[test]
fn computed_imports_need_permission() {
    let folder = Folder::with(
        "dynamic",
        &[
            ("main.js", "import(\"./named.js\"); import(computed);"),
            ("named.js", "import \"./below.js\";"),
            ("below.js", ""),
            ("computed.js", ""),
        ],
    );
    let loader = loader(None);
    let load = |file: &str, is_dynamic| {
        load(
            &loader,
            &folder.url(file),
            None,
            is_dynamic,
            RequestedModuleType::None,
        )
    };
    load("main.js", false).unwrap();
    load("named.js", true).unwrap();
    load("below.js", true).unwrap();
    let error = load("computed.js", true).unwrap_err();
    assert_eq!(error.get_class(), "NotCapable");
    assert!(error.get_message().contains("--allow-read"));
}

#[test]
fn overrides_give_text_and_kind() {
    let permissions = crate::permissions::allow_all();
    let mut options = ModuleLoaderOptions::new(permissions);
    let url = Url::parse("file:///$deno$eval.mts").unwrap();
    let given = ModuleOverride {
        text: Some("let a: number = 1;".into()),
        media_type: Some(MediaType::Mts),
    };
    options.overrides.insert(url.clone(), given);
    let loader = DuplexModuleLoader::new(options);
    let source = load(&loader, &url, None, false, RequestedModuleType::None).unwrap();
    assert_eq!(text(source).trim(), "let a = 1;");
}
