//! Finds liboctavo: in OCTAVO_LIB_DIR where that is set, else through pkg-config.
use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=OCTAVO_LIB_DIR");
    println!("cargo:rustc-link-lib=dylib=octavo");
    if let Ok(directory) = env::var("OCTAVO_LIB_DIR") {
        println!("cargo:rustc-link-search=native={directory}");
        return;
    }
    let found = Command::new("pkg-config").args(["--variable=libdir", "octavo"]).output();
    match found {
        Ok(output) if output.status.success() => {
            let directory = String::from_utf8_lossy(&output.stdout);
            println!("cargo:rustc-link-search=native={}", directory.trim());
        }
        _ => println!("cargo:warning=pkg-config finds no octavo: set OCTAVO_LIB_DIR to the directory of liboctavo.so"),
    }
}
