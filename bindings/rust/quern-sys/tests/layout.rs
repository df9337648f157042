//! The structs lie in memory as those of the C header: held to tests/capi/layout.c of the source tree, which the C compiler
//! holds to the header.
#![cfg(feature = "layout")]

use std::collections::HashMap;

struct Recorded {
    size: usize,
    first: usize,
    fields: Vec<(String, usize, usize)>,
}

fn recorded() -> HashMap<String, Recorded> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/capi/layout.c");
    let text = std::fs::read_to_string(path).expect(path);
    let mut structs: HashMap<String, Recorded> = HashMap::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(|c| "(), ;".contains(c)).filter(|part| !part.is_empty()).collect();
        let number = |i: usize| parts[i].parse::<usize>().unwrap();
        match parts.first() {
            Some(&"SIZE") => {
                structs.insert(parts[1].into(), Recorded { size: number(2), first: number(2), fields: Vec::new() });
            }
            Some(&"FIRST") => structs.get_mut(parts[1]).unwrap().first = number(2),
            Some(&"FIELD") => {
                let field = (parts[2].to_string(), number(3), number(4));
                structs.get_mut(parts[1]).unwrap().fields.push(field);
            }
            _ => {}
        }
    }
    structs
}

#[test]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn structs_lie_as_in_c() {
    let recorded = recorded();
    let ours = quern_sys::layouts();
    assert!(ours.len() > 30, "only {} structs", ours.len());
    for (name, size, fields) in ours {
        let c = recorded.get(name).unwrap_or_else(|| panic!("{}: not in C", name));
        // A struct may be older than the header's, and is then shorter.
        assert!(c.first <= size && size <= c.size, "{}: {} bytes; in C {} to {}", name, size, c.first, c.size);
        for ((field, offset, length), in_c) in fields.iter().zip(&c.fields) {
            let known = (in_c.0.as_str(), in_c.1, in_c.2);
            assert_eq!((field.trim_end_matches('_'), *offset, *length), known, "{}", name);
        }
    }
}

#[test]
fn the_library_has_the_abi_of_these_declarations() {
    assert_eq!(unsafe { quern_sys::quern_abi_version() }, quern_sys::QUERN_C_ABI_VERSION);
    assert!(quern_sys::quern_sampler_options::new().top_k == 40);
}
