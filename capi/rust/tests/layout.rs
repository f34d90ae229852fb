//! The structs of `sys` lie in memory as a C compiler lays out those of octavo.h.
//! Needs OCTAVO_INCLUDE_DIR, and a C compiler (CC, else cc).
use octavo::sys;
use std::env;
use std::mem::{size_of, MaybeUninit};
use std::process::Command;
use std::ptr::addr_of;

/// "field offset size" of each named field, by both compilers.
macro_rules! fields {
    ($rust:ident, $c:literal: $($field:ident)*) => {{
        let value = MaybeUninit::<sys::$rust>::zeroed();
        let base = value.as_ptr();
        let rust: Vec<(String, usize, usize)> = vec![$({
            // SAFETY: addresses alone; nothing is read.
            let place = unsafe { addr_of!((*base).$field) };
            (format!("{}.{}", $c, stringify!($field)), place as usize - base as usize, size_of_pointee(place))
        }),*];
        rust
    }};
}

fn size_of_pointee<T>(_: *const T) -> usize {
    size_of::<T>()
}

#[test]
fn structs_lie_as_in_c() {
    let include = env::var("OCTAVO_INCLUDE_DIR").expect("OCTAVO_INCLUDE_DIR names the directory of octavo.h");
    let mut expected = Vec::new();
    expected
        .extend(fields!(ShapeError, "octavo_shape_error": struct_size op module argument dim_name dim expected actual));
    expected
        .extend(fields!(ModelOptions, "octavo_model_options": struct_size vision_math language_math lm_head reserved0));
    expected.extend(fields!(TokenLogProb, "octavo_token_log_prob": id reserved0 log_prob));
    expected.extend(
        fields!(TokenEvent, "octavo_token_event": struct_size sequence id top_count text text_size log_prob top),
    );
    expected.extend(fields!(GenerateOptions, "octavo_generate_options":
        struct_size max_new_tokens cache_mode sampling temperature top_p top_k repetition_penalty seed on_token user_data
        cancel decode control_tokens_as_text boxes prefill_chunk lookup_draft lookup_ngram prefix_cache cache_dtype
        reserved0 min_p stop_strings stop_string_count stop_ids stop_id_count logit_bias logit_bias_count on_logits
        on_event ignore_eos log_probs top_log_probs reserved1));
    expected.extend(fields!(GenerateResult, "octavo_generate_result":
        struct_size prompt_tokens new_tokens finish_reason reserved0 prefill_seconds decode_seconds text pictures
        picture_capacity picture_count reused_tokens drafted_tokens accepted_tokens text_size tokens log_probs
        top_log_probs top_count));
    expected.extend(fields!(QuantizeOptions, "octavo_quantize_options":
        struct_size recipe calibration max_samples overwrite reserved0 progress user_data cancel decode pictures
        picture_prompt skip_bad_samples reserved1));
    expected.extend(fields!(VerifyOptions, "octavo_verify_options":
        struct_size samples max_samples max_new_tokens progress user_data cancel profile run_all reserved0));
    expected
        .extend(fields!(GptqOptions, "octavo_gptq_options": struct_size method no_act_order damp_percent block_size));
    expected.extend(fields!(GptqResult, "octavo_gptq_result": struct_size loss rtn_loss damp_used dead_columns));

    let mut source = String::from("#include <octavo.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n");
    for (name, _, _) in &expected {
        let (of, field) = name.split_once('.').unwrap();
        source += &format!("printf(\"{name} %zu %zu\\n\", offsetof({of}, {field}), sizeof((({of}*)0)->{field}));\n");
    }
    source += "return 0;\n}\n";
    let directory = env::temp_dir().join(format!("octavo-layout-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (file, program) = (directory.join("layout.c"), directory.join("layout"));
    std::fs::write(&file, source).unwrap();
    let compiler = env::var("CC").unwrap_or_else(|_| String::from("cc"));
    let compiled = Command::new(compiler).arg(format!("-I{include}")).arg(&file).arg("-o").arg(&program).status();
    assert!(compiled.unwrap().success());
    let printed = String::from_utf8(Command::new(&program).output().unwrap().stdout).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let by_rust: Vec<String> = expected.iter().map(|(name, at, size)| format!("{name} {at} {size}")).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), by_rust);
}
