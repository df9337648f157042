//! Finds libquern_c: in the folder QUERN_LIB_DIR, or where pkg-config says. Hands the folder on to crates that depend on
//! this one, as DEP_QUERN_C_LIBDIR in their build scripts.
use std::env;
use std::process::Command;

fn library_folder() -> Option<String> {
    if let Ok(folder) = env::var("QUERN_LIB_DIR") {
        return Some(folder);
    }
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_string());
    let output = Command::new(&program).args(["--variable=libdir", "quern_c"]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?.trim().to_string();
    if output.status.success() && !folder.is_empty() {
        Some(folder)
    } else {
        None
    }
}

fn main() {
    println!("cargo:rerun-if-env-changed=QUERN_LIB_DIR");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rustc-link-lib=dylib=quern_c");
    match library_folder() {
        Some(folder) => {
            println!("cargo:rustc-link-search=native={}", folder);
            println!("cargo:libdir={}", folder);
            // For the tests of this crate; programs find the library as the system does.
            println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{}", folder);
        }
        // The linker may still find it in a folder of its own.
        None => println!(
            "cargo:warning=libquern_c was not found: pkg-config does not know quern_c; set QUERN_LIB_DIR to its folder"
        ),
    }
}
