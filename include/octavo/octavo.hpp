/// @file
/// Octavo: quantizes vision-language models to W8A8 with GPTQ, proves the result, and runs it.
/// Each module has one header, lowest level first:
#pragma once

// clang-format off
#include "octavo/version.hpp"     // which version this is
#include "octavo/error.hpp"       // how failure is reported
#include "octavo/cancel.hpp"      // ending what a thread is doing
#include "octavo/log.hpp"         // what the library decided
#include "octavo/nearest.hpp"     // the known word that a misspelt one is closest to
#include "octavo/message.hpp"     // values out of files in messages
#include "octavo/parallel.hpp"    // how loops are spread over cores
#include "octavo/tensor.hpp"      // dtype, shape, views, storage
#include "octavo/ledger.hpp"      // bytes that tensors without data would take
#include "octavo/allocator.hpp"   // where large buffers come from
#include "octavo/memory_pool.hpp"  // memory reused from call to call
#include "octavo/observer.hpp"    // who hears of each operation
#include "octavo/contract.hpp"    // shape contracts
#include "octavo/json.hpp"        // JSON that knows where it came from
#include "octavo/files.hpp"       // a model's files: of a directory, in memory, behind descriptors
#include "octavo/pattern.hpp"     // Python's regular expressions
#include "octavo/settings.hpp"    // what is done with each key of a file
#include "octavo/trace.hpp"       // runs recorded and compared
#include "octavo/output_form.hpp"  // answers of a fixed form: JSON schemas, templates
#include "octavo/generation_config.hpp"  // how answers are chosen and when they end
#include "octavo/config.hpp"      // a model's configuration as plain structs
#include "octavo/atomic_file.hpp"  // a file that appears whole, or not at all
#include "octavo/checkpoint.hpp"  // safetensors, config, compressed-tensors
#include "octavo/float_math.hpp"  // how precisely floats are multiplied
#include "octavo/gemm.hpp"        // float and int8 products
#include "octavo/build_info.hpp"  // how it was built, what this machine offers
#include "octavo/attention.hpp"   // positions, masks, cache, attention
#include "octavo/text.hpp"        // tokenizer, chat template
#include "octavo/image.hpp"       // pictures to patches
#include "octavo/quant.hpp"       // GPTQ, recipes
#include "octavo/structure.hpp"   // tensors and linears that a config promises
#include "octavo/sampling.hpp"    // the next token
#include "octavo/file_sampling.hpp"  // the same, by generation_config.json
#include "octavo/box_labels.hpp"  // what answers call their boxes
#include "octavo/boxes.hpp"       // boxes in answers, and where they lie in the picture
#include "octavo/model.hpp"       // models and generation
#include "octavo/model_info.hpp"  // what a model is, in numbers
#include "octavo/session.hpp"     // prefill and decode by hand
#include "octavo/running_batch.hpp"  // sequences join and leave
#include "octavo/prefix_cache.hpp"  // prompts that begin alike, read once
#include "octavo/blockwise.hpp"   // one block in memory at a time
#include "octavo/model_contracts.hpp"  // contracts of what only models have
#include "octavo/model_operations.hpp"  // norms, activations, heads
#include "octavo/linear_block.hpp"  // what an architecture's blocks are made of
#include "octavo/plan.hpp"        // what is known of a model without reading a weight
#include "octavo/architecture.hpp"  // architectures of your own
#include "octavo/interval.hpp"    // how sure a share of few samples is
#include "octavo/metrics.hpp"     // how far two runs are apart
#include "octavo/samples.hpp"     // samples files of every form, folders of pictures
#include "octavo/job.hpp"         // what whole jobs share: progress, cancelling
#include "octavo/check.hpp"       // everything wrong with a directory, without reading a weight
#include "octavo/compare.hpp"     // an original and its quantized form, side by side
#include "octavo/evaluation.hpp"  // how a quantized model is judged
#include "octavo/verify.hpp"      // verification step by step, from simple to hard
#include "octavo/attribution.hpp" // which linears cost quality, and which to keep in W8A16
#include "octavo/report.hpp"      // one page with all of it
#include "octavo/quantized_writer.hpp"  // the output of a quantization of your own
#include "octavo/quantize.hpp"    // a model directory in, a W8A8 one out
// clang-format on
