//! The examples and tests of this crate find libquern_c where it was linked, without LD_LIBRARY_PATH.
fn main() {
    if let Ok(folder) = std::env::var("DEP_QUERN_C_LIBDIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder);
    }
}
