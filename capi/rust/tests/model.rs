//! Whole jobs on the bundled model, whose directory OCTAVO_MODEL names.
use octavo::*;
use std::env;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread;

fn directory() -> PathBuf {
    PathBuf::from(env::var("OCTAVO_MODEL").expect("OCTAVO_MODEL names the directory of the bundled model"))
}

fn scratch(name: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("octavo-rust-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn question(text: &str) -> Messages {
    let picture = Image::decode(&std::fs::read(directory().join("eval/000.png")).unwrap()).unwrap();
    Messages::question(text, &[&picture]).unwrap()
}

fn greedy() -> Options {
    Options { sampling: Sampling::Greedy, ..Options::default() }
}

const COLOUR: &str = "What colour is the small triangle?"; // eval.jsonl: blue
const PLACE: &str = "Where is the purple circle?";

#[test]
fn a_question_about_a_picture() {
    let model = Model::open(directory()).unwrap();
    let answer = model.generate(&question(COLOUR), &greedy()).unwrap();
    assert_eq!(answer.text, "blue");
    assert_eq!(answer.finish_reason, FinishReason::Stop);
    assert!(answer.prompt_tokens > 10 && !answer.tokens.is_empty());
    assert_eq!(model.notes().unwrap(), "");
    assert!(version().starts_with("0."));
}

#[test]
fn an_answer_as_it_comes() {
    let model = Model::open(directory()).unwrap();
    let whole = model.generate(&question(PLACE), &greedy()).unwrap();
    let mut pieces = Vec::new();
    let streamed = model.generate_with(&question(PLACE), &greedy(), |text| {
        pieces.push(text.to_owned());
        ControlFlow::Continue(())
    });
    assert_eq!(streamed.unwrap(), whole);
    assert_eq!(pieces.concat(), whole.text);
    assert!(pieces.len() > 4);

    let mut count = 0;
    let stopped = model.generate_with(&question(PLACE), &greedy(), |_| {
        count += 1;
        if count == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(stopped.unwrap().finish_reason, FinishReason::Cancelled);
    assert_eq!(count, 3);
}

#[test]
fn options_are_kept() {
    let model = Model::open(directory()).unwrap();
    let short = model.generate(&question(PLACE), &Options { max_new_tokens: Some(2), ..greedy() }).unwrap();
    assert_eq!((short.tokens.len(), short.finish_reason), (2, FinishReason::Length));
    let stop = Options { stop: vec![String::from("bbox")], ..greedy() };
    assert_eq!(model.generate(&question(PLACE), &stop).unwrap().text, "{\"");
    let hot = |seed| {
        let sampling = Sampling::Random { temperature: 3.0, top_p: 1.0, top_k: 0, seed };
        let options = Options { sampling, max_new_tokens: Some(16), ..Options::default() };
        model.generate(&question(PLACE), &options).unwrap().tokens
    };
    assert_eq!(hot(1), hot(1));
    assert_ne!(hot(1), hot(2));
}

#[test]
fn a_panic_in_a_callback_comes_back_to_its_caller() {
    let model = Model::open(directory()).unwrap();
    let panicked = std::panic::catch_unwind(|| {
        let _ = model.generate_with(&question(PLACE), &greedy(), |_| panic!("of the callback"));
    });
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"of the callback"));
    assert_eq!(model.generate(&question(COLOUR), &greedy()).unwrap().text, "blue");
}

#[test]
fn threads_share_a_model() {
    let model = Model::open(directory()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let model = model.clone();
            thread::spawn(move || model.generate(&question(COLOUR), &greedy()).unwrap().text)
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "blue");
    }
}

#[test]
fn another_thread_cancels() {
    let model = Model::open(directory()).unwrap();
    let cancel = Cancel::new().unwrap();
    let options = Options { cancel: Some(cancel.clone()), max_new_tokens: Some(30), ..greedy() };
    let answer = model.generate_with(&question(PLACE), &options, |_| {
        let cancel = cancel.clone();
        thread::spawn(move || cancel.request()).join().unwrap();
        ControlFlow::Continue(())
    });
    assert_eq!(answer.unwrap().finish_reason, FinishReason::Cancelled);
    cancel.reset();
    assert_eq!(model.generate(&question(COLOUR), &options).unwrap().text, "blue");
}

#[test]
fn quantize_and_verify() {
    let out = scratch("w8a8");
    let job = Quantize { calibration: Some(directory().join("calib/calibration.jsonl")), ..Quantize::default() };
    let mut stages = 0;
    let report = job.run_with(directory(), &out, |_, done, total| {
        assert!(done <= total);
        stages += 1;
        ControlFlow::Continue(())
    });
    assert!(report.unwrap().contains("\"layers\""));
    assert!(stages > 10);
    assert_eq!(job.run(directory(), &out).unwrap_err().kind(), ErrorKind::Exists);

    let samples = Some(directory().join("eval/eval.jsonl"));
    let verdict = Verify { samples, max_samples: Some(48), ..Verify::default() }.run(directory(), &out).unwrap();
    assert!(verdict.passed && verdict.json.contains("\"verdict\""));
    let model = Model::open(&out).unwrap();
    assert_eq!(model.generate(&question(COLOUR), &greedy()).unwrap().text, "blue");
    std::fs::remove_dir_all(&out).unwrap();

    let cancelled = job.run_with(directory(), &out, |_, _, _| ControlFlow::Break(()));
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(!out.exists());
}

#[test]
fn errors_say_what_is_wrong() {
    let error = Model::open("/nowhere/at/all").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/at/all"));
    assert!(error.shape().is_none());
    assert_eq!(Image::decode(b"no picture").err().unwrap().kind(), ErrorKind::Format);
    assert_eq!(Image::decode(b"").err().unwrap().kind(), ErrorKind::Format);
    assert_eq!(Messages::question("a\0b", &[]).err().unwrap().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn one_layer_by_gptq() {
    let noise = |count: usize, mut state: u32| -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / 8388608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    };
    let (tokens, inputs, outputs) = (256, 64, 16);
    let (weights, values) = (noise(outputs * inputs, 1), noise(tokens * inputs, 2));
    let x = Tensor::new(&values, &[tokens as i64, inputs as i64]).unwrap();
    let mut hessian = Hessian::new(inputs as i64).unwrap();
    hessian.add(&x).unwrap();
    let weight = Tensor::new(&weights, &[outputs as i64, inputs as i64]).unwrap();
    let layer = hessian.quantize(&weight).unwrap();
    assert!(layer.loss < layer.rtn_loss);
    assert_eq!(layer.weight.dims().unwrap(), [outputs as i64, inputs as i64]);
    assert_eq!(layer.weight.values::<f32>().unwrap_err().kind(), ErrorKind::DtypeMismatch);
    let linear = Linear::new(&layer.weight, &layer.scales, None).unwrap();
    let y = linear.forward(&x).unwrap();
    let (mut error, mut size) = (0.0, 0.0);
    for token in 0..tokens {
        for output in 0..outputs {
            let row = &weights[output * inputs..][..inputs];
            let exact: f32 = values[token * inputs..][..inputs].iter().zip(row).map(|(a, b)| a * b).sum();
            error += (y.values::<f32>().unwrap()[token * outputs + output] - exact).powi(2);
            size += exact * exact;
        }
    }
    assert!((error / size).sqrt() < 0.02);

    let narrow = Tensor::new(&vec![0.0f32; 3 * 60], &[3, 60]).unwrap();
    let broken = linear.forward(&narrow).err().unwrap();
    assert_eq!(broken.kind(), ErrorKind::ShapeMismatch);
    let shape = broken.shape().unwrap();
    assert_eq!((shape.argument.as_str(), shape.dim, shape.expected, shape.actual), ("x", 1, 64, 60));
    assert!(Tensor::new(&[1.0f32], &[2, 2]).is_err());
}

#[test]
fn what_may_cross_threads() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Model>();
    shared::<Image>();
    shared::<Cancel>();
    shared::<Tensor>();
    shared::<Linear>();
    shared::<Error>();
    moved::<Messages>();
    moved::<Hessian>();
}
