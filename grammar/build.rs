//! Lists the language files of the order language, so that adding a language is adding a file.
//!
//! Writes `language_sources.rs` into `OUT_DIR`: one pair of code and content for each `grammar/lang/<code>.toml`, by code. The contents
//! are embedded with `include_str!`, whose own dependency tracking sees an edit; Cargo sees a file that comes or goes in the folder.

use std::error::Error;
use std::path::Path;

/// Where the language files are, from the crate's root.
const FOLDER: &str = "grammar/lang";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=grammar/build.rs");
    println!("cargo:rerun-if-changed={FOLDER}");
    let root = std::env::var("CARGO_MANIFEST_DIR")?;
    let mut codes = Vec::new();
    for entry in Path::new(&root).join(FOLDER).read_dir()? {
        let name = entry?.file_name();
        let name = name.to_str().ok_or_else(|| format!("{FOLDER} holds a file whose name is not UTF-8"))?;
        // What an editor leaves beside its file is nobody's language.
        let Some(code) = name.strip_suffix(".toml").filter(|code| !code.starts_with('.')) else { continue };
        let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if !is_code {
            return Err(format!("{FOLDER}/{name}: a language file is named after its code, in small letters, like sv.toml").into());
        }
        codes.push(code.to_owned());
    }
    codes.sort();
    let row =
        |code: &String| format!("({code:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{FOLDER}/{code}.toml\"))),\n");
    let list: String = codes.iter().map(row).collect();
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("language_sources.rs"), format!("&[\n{list}]\n"))?;
    Ok(())
}
