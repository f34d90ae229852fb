/** @file
 * octavo.h: the C interface of Octavo, which quantizes vision-language models to W8A8 and runs them on a CPU.
 *
 * Reads as a course. A program that asks a model needs section 1; sections 2 to 5 are for those that hold pictures in
 * memory, conversations, sessions and batches; 6 to 8 look at directories, quantize, verify and trace; from 9 on stand
 * the parts that all of it is made of (tensors, shape contracts, GPTQ of one layer, the int8 linear, a calibration
 * loop, attention with a cache). docs/c_answers.md, c_sessions.md and c_parts.md teach them with a program each.
 *
 * Rules that hold for every function:
 *  - Status. A function that can fail returns octavo_status; 0 is OCTAVO_OK. Out-parameters are written on success
 *    only.
 *  - Last error. A failure leaves a message, and the fields of a broken shape contract, on the calling thread, valid
 *    until the next failing call of that thread. Successes and releases leave it alone.
 *  - Handles are opaque and yours: release them with the named function, which accepts NULL and cannot fail.
 *  - Strings are UTF-8 and end with 0. A returned `char*` is yours (octavo_string_release); a `const char*` is
 *    borrowed, and its comment says until when.
 *  - Options start with struct_size = sizeof(the struct); use the _INIT macros. Zero is the default of every field, but
 *    where the _INIT macro of octavo_generate_options has another number; a NULL for options means the _INIT macro.
 *    A larger struct from a newer header is accepted as long as the bytes that this library does not know are zero.
 *  - Threads. Distinct handles are independent. An octavo_model and an octavo_linear are immutable and may be shared;
 *    a cache or a Hessian belongs to one thread at a time: sessions, batches, caches and Hessians answer a second call
 *    meanwhile, of another thread or of a callback, with INVALID_ARGUMENT. Callbacks run on the calling thread and may
 *    call anything but the job that called them; an exception must not leave them.
 *  - No function writes to standard output or error, and none ends the process.
 *
 * C99. A program built with an earlier header of the same ABI version runs with this library: docs/abi.md.
 */
#ifndef OCTAVO_H
#define OCTAVO_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define OCTAVO_API __attribute__((visibility("default")))
#else
#define OCTAVO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions -------------------------------------------------------------------------------------------------- */

/** Of this header; octavo_version() tells the library's. */
#define OCTAVO_VERSION_MAJOR 0
#define OCTAVO_VERSION_MINOR 1
#define OCTAVO_VERSION_PATCH 0
/** Raised when a program built against an earlier header would break; the number in the library's file name,
 * liboctavo.so.0. Anything else that changes is an addition. */
#define OCTAVO_ABI_VERSION 0

/** "0.1.0"; borrowed, never released. */
OCTAVO_API const char* octavo_version(void);
/** OCTAVO_ABI_VERSION of the library that is loaded. */
OCTAVO_API int32_t octavo_abi_version(void);

/* ---- Status and errors ----------------------------------------------------------------------------------------- */

typedef int32_t octavo_status; /**< fixed width; values are pinned */
enum {
  OCTAVO_OK = 0,
  OCTAVO_INVALID_ARGUMENT = 1, /**< a value is outside its domain; a NULL that is not allowed */
  OCTAVO_SHAPE_MISMATCH = 2,   /**< a shape contract is broken: octavo_last_shape_error */
  OCTAVO_DTYPE_MISMATCH = 3,
  OCTAVO_NOT_FOUND = 4,
  OCTAVO_IO = 5,
  OCTAVO_FORMAT = 6,
  OCTAVO_UNSUPPORTED = 7,
  OCTAVO_OUT_OF_MEMORY = 8,
  OCTAVO_CANCELLED = 9,
  OCTAVO_EXISTS = 10,
  OCTAVO_NOT_FINITE = 11, /**< NaN or infinity among weights, activations or logits; the message names the module */
  OCTAVO_INTERNAL = 99    /**< a bug in Octavo */
};

/** "shape_mismatch"; borrowed, never released; "unknown" for other numbers. */
OCTAVO_API const char* octavo_status_name(octavo_status status);
/** The message of this thread's last failure, "" before any; borrowed until the next failing call of this thread. */
OCTAVO_API const char* octavo_last_error(void);

/** The fields of a broken contract. Strings are borrowed until the next failing call of this thread. */
typedef struct octavo_shape_error {
  size_t struct_size;
  const char* op;       /**< "attention" */
  const char* module;   /**< module path in the model, may be "" */
  const char* argument; /**< "mask" */
  const char* dim_name; /**< "Lk (kv_len)" */
  int64_t dim;          /**< index, outermost first; -1 when the rank or the element type is at fault */
  int64_t expected;
  int64_t actual;
} octavo_shape_error;
#define OCTAVO_SHAPE_ERROR_INIT \
  { sizeof(octavo_shape_error), 0, 0, 0, 0, 0, 0, 0 }
/** NOT_FOUND when this thread's last failure was not about a shape (that answer leaves the last error as it is). */
OCTAVO_API octavo_status octavo_last_shape_error(octavo_shape_error* out);

OCTAVO_API void octavo_string_release(char* string);

/** What this library is and finds on this machine: *out_json receives what `octavo --version --json` prints,
 * {"version", "compiler", "cxx_standard", "build_type", "onednn": {"running", "built_against", "isa", "problem"},
 * "instruction_sets": [...], "threads", "int8_backend": {"name", "why"}, "float_backend": {...}, "int8_backends":
 * [{"name", "available", "detail"}], "float_backends": [...]}. */
OCTAVO_API octavo_status octavo_build_info(char** out_json);

/** Threads that loops run on in every thread that uses no pool of its own, the calling one among them. 0: as many as
 * the environment variable OCTAVO_NUM_THREADS says or, where it is not set, as the process may use by its affinity mask
 * and its cgroup's quota. Jobs under way finish with the threads that they have. */
OCTAVO_API octavo_status octavo_set_num_threads(int32_t count);

/** At least `size` bytes (never 0) at a multiple of `alignment`, a power of two; NULL when there is no more. */
typedef void* (*octavo_allocate_fn)(size_t size, size_t alignment, void* user_data);
typedef void (*octavo_free_fn)(void* memory, size_t size, void* user_data);
/** Where large buffers come from that are made from now on: tensors, caches, activations, logits, weights that are
 * packed or copied, what GPTQ works in, and what threads keep between products. Not: weights that stay mapped, pictures
 * as they are decoded, the tables of tokenizers, strings and bytes that are handed out, small things, and what oneDNN
 * keeps for itself. Each buffer goes back to the functions that it came from, so what they refer to must outlive the
 * last: those of handles go with them; what the calling thread and Octavo's own threads keep goes when this is called
 * with other functions; what another thread of yours keeps, at its next product or when it ends. The functions are
 * called from any thread and must not call Octavo. Both NULL: the system's memory again. Waits for loops that are under
 * way. */
OCTAVO_API octavo_status octavo_set_allocator(octavo_allocate_fn allocate, octavo_free_fn release, void* user_data);

/** How much a line of the log matters: what happens many times (a weight packed, a prompt that a prefix cache lets go);
 * what is decided once (backends, threads, a model opened); what is asked for and not done (settings of a model's
 * files, samples left out). */
enum { OCTAVO_LOG_DEBUG = 0, OCTAVO_LOG_INFO = 1, OCTAVO_LOG_WARNING = 2 };
/** A line without its end, and the module that it is about ("gemm", "model"); borrowed during the call. Called on the
 * thread that decides, at once from several. Must return soon, must not call Octavo, and must not wait for a thread
 * that does. */
typedef void (*octavo_log_fn)(int32_t level, const char* module, const char* line, void* user_data);
/** What the library decides from now on is told to `callback`, of `level` and above; NULL: to nobody, as at the start.
 * Of the process. When it returns, the callback before is not running, and is never called again. docs/log.md lists the
 * lines; they are for people, and change. INVALID_ARGUMENT from inside a callback. */
OCTAVO_API octavo_status octavo_set_log(octavo_log_fn callback, void* user_data, int32_t level);

/* A pool of threads for the jobs of some threads of the host. Idle threads of a pool sleep; they block all signals but
 * those that the hardware raises, so that handlers of the host never run on them. After fork(), the child's pools start
 * their threads anew. */
typedef struct octavo_thread_pool octavo_thread_pool;
enum { OCTAVO_THREADS_ANYWHERE = 0, OCTAVO_THREADS_PINNED = 1 };
/** `count`: as octavo_set_num_threads. Pinned: each stays on one processor of the calling thread's affinity mask, from
 * the second on; the first is left to the thread that uses the pool, which is never pinned. */
OCTAVO_API octavo_status octavo_thread_pool_create(int32_t count, int32_t placement, octavo_thread_pool** out);
/** From now on, the calling thread's jobs run on that pool; NULL: on the default one again. Any number of threads may
 * use a pool at once. */
OCTAVO_API octavo_status octavo_thread_pool_use(const octavo_thread_pool* pool);
/** Threads that use the pool keep it until they end or use another. */
OCTAVO_API void octavo_thread_pool_release(octavo_thread_pool* pool);

/* ---- 1. A model and its answers -------------------------------------------------------------------------------- */

/** Asks running jobs to stop, from any thread or signal handler. */
typedef struct octavo_cancel octavo_cancel;
OCTAVO_API octavo_status octavo_cancel_create(octavo_cancel** out);
OCTAVO_API void octavo_cancel_request(octavo_cancel* cancel);
/** Takes the request back: jobs that begin from now on run. One under way may have seen it. From any thread. */
OCTAVO_API void octavo_cancel_reset(octavo_cancel* cancel);
/** From now on, whatever the calling thread asks Octavo to do looks at it as it goes, and at that of the options, too:
 * before every layer of a model, every block of columns of GPTQ, every part of a directory that is opened, compared or
 * written. So each function that takes long can be cancelled: it fails as CANCELLED, with what it was to change as
 * after any other failure; octavo_generate and its like give the answer so far, as with options.cancel, and
 * what octavo_batch_step works on goes on with the next step. NULL: at none. The thread keeps it until it uses another,
 * whatever is released. */
OCTAVO_API octavo_status octavo_cancel_use(const octavo_cancel* cancel);
OCTAVO_API void octavo_cancel_release(octavo_cancel* cancel);

/** Called with the stage's name, and how much of it is done; anything but 0 cancels the job. */
typedef int32_t (*octavo_progress_fn)(const char* stage, int64_t done, int64_t total, void* user_data);

typedef struct octavo_model octavo_model;
OCTAVO_API octavo_status octavo_model_open(const char* model_dir, octavo_model** out_model);

/** What products of floats round their factors to; DEFAULT is F32 where a model is run, as by octavo_model_open, and
 * BF16 where it is calibrated. BF16 is faster where the processor multiplies bf16, and answers may differ:
 * docs/model.md has by how much. */
enum { OCTAVO_MATH_DEFAULT = 0, OCTAVO_MATH_F32 = 1, OCTAVO_MATH_BF16 = 2 };
/** What the lm_head multiplies by: its weight as stored, or a copy in int8 that is made when the model is opened. As
 * stored, greedy tokens of a large one are found through such a copy, too, made after 32 of them, and are the same. */
enum { OCTAVO_LM_HEAD_STORED = 0, OCTAVO_LM_HEAD_INT8 = 1 };
/** How a model is run, as far as its checkpoint does not say. */
typedef struct octavo_model_options {
  size_t struct_size;
  int32_t vision_math;   /**< OCTAVO_MATH_*, of the vision tower's float linears and attention */
  int32_t language_math; /**< of the language model's */
  int32_t lm_head;       /**< OCTAVO_LM_HEAD_* */
  int32_t reserved0;     /**< must be 0 */
  /* While it is opened: NULL, and refused, where the options say how a model is run later. */
  octavo_progress_fn progress; /**< the part that is loaded next, or "ready" */
  void* user_data;
  const octavo_cancel* cancel;
} octavo_model_options;
#define OCTAVO_MODEL_OPTIONS_INIT \
  { sizeof(octavo_model_options), 0, 0, 0, 0, 0, 0, 0 }
/** As octavo_model_open, which is the same with all defaults; options may be NULL. */
OCTAVO_API octavo_status octavo_model_open_with(const char* model_dir, const octavo_model_options* options,
                                                octavo_model** out_model);
/** A file in memory, under the name that it has in a model's directory. Never grows. */
typedef struct octavo_memory_file {
  const char* name; /**< "config.json" */
  const void* data;
  size_t size;
} octavo_memory_file;
/** As octavo_model_open_with, of files in memory. Names and the array are read during the call; the contents are not
 * copied and must stay as they are until the model, and every tensor made from it, are released. `label` stands in
 * messages where a directory's path would. */
OCTAVO_API octavo_status octavo_model_open_memory(const char* label, const octavo_memory_file* files, size_t count,
                                                  const octavo_model_options* options, octavo_model** out_model);
/** A file behind an open descriptor: a regular file, or a memfd. Never grows. */
typedef struct octavo_descriptor_file {
  const char* name;
  int32_t descriptor; /**< open for reading; read from its beginning, wherever it stands */
  int32_t reserved0;  /**< must be 0 */
} octavo_descriptor_file;
/** The same of files behind descriptors, which are mapped, and may be closed after the call. */
OCTAVO_API octavo_status octavo_model_open_descriptors(const char* label, const octavo_descriptor_file* files,
                                                       size_t count, const octavo_model_options* options,
                                                       octavo_model** out_model);
OCTAVO_API void octavo_model_release(octavo_model* model);
/** What the model's files ask for and Octavo does not do, a line each ("" where there is nothing to say): settings of
 * generation_config.json and tokenizer_config.json, a chat template that cannot be read. Free it with
 * octavo_string_release. */
OCTAVO_API octavo_status octavo_model_notes(const octavo_model* model, char** out_notes);

/** What a model is, in numbers. */
typedef struct octavo_model_info {
  size_t struct_size;
  int64_t vocab_size;              /**< rows of the embedding; may exceed the tokenizer's */
  int64_t hidden_size, num_layers; /**< of the language model */
  int64_t num_heads, num_kv_heads, head_dim;
  int64_t max_position_embeddings;
  int64_t vision_num_blocks, vision_hidden_size;
  int64_t patch_size, merge_size;         /**< pixels of a patch's side; patches of an image token's side */
  int64_t num_parameters;                 /**< a quantized weight counts as the one that it stands for */
  uint64_t stored_bytes, resident_bytes;  /**< of all tensors in the files; of the weights that a run touches */
  int64_t num_w8a8, num_w8a16, num_float; /**< linears of the blocks, by how they are stored */
  int32_t image_token_id;
  int32_t is_quantized;
} octavo_model_info;
#define OCTAVO_MODEL_INFO_INIT \
  { sizeof(octavo_model_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
OCTAVO_API octavo_status octavo_model_get_info(const octavo_model* model, octavo_model_info* out);
/** The same as JSON, with more: {"directory", "model_type", "dtype", sizes as above, "quantization": {"quantized",
 * "w8a8", "w8a16", "float"}, "eos_token_ids", "special_tokens": [{"id", "text"}], "linears": [{"module", "in_features",
 * "out_features", "bias", "scheme": "float" | "w8a8" | "w8a16", "contract"}]}. */
OCTAVO_API octavo_status octavo_model_describe(const octavo_model* model, char** out_json);
/** config.json, as the model has it. */
OCTAVO_API octavo_status octavo_model_config(const octavo_model* model, char** out_json);

/* How picture files are read: JPEG, PNG, WebP, GIF, BMP and PNM, told apart by their content; the first frame of
 * animations. The bounds are checked against the file's header, before memory is taken. */
enum { OCTAVO_TRANSPARENCY_WHITE = 0, OCTAVO_TRANSPARENCY_DROP = 1 };
typedef struct octavo_decode_options {
  size_t struct_size;
  int32_t ignore_orientation; /**< 0: turned upright as EXIF or XMP says; else left as it is stored */
  int32_t transparency;       /**< OCTAVO_TRANSPARENCY_*: composited on white, or alpha left out */
  int64_t max_pixels;         /**< height * width; 0 means 178956970 */
  int64_t max_bytes;          /**< that decoding may take; 0 means 2 GiB */
} octavo_decode_options;
#define OCTAVO_DECODE_OPTIONS_INIT \
  { sizeof(octavo_decode_options), 0, 0, 0, 0 }

/** A token, and what is added to its logit; -INFINITY forbids it. Never grows. */
typedef struct octavo_token_bias {
  int32_t id;
  int32_t reserved0; /**< must be 0 */
  double bias;
} octavo_token_bias;

/** A token and the natural logarithm of the probability that the model gives it: the log-softmax of its logits before
 * bias, penalties, temperature and filters, as OpenAI's `logprobs`. Never grows. */
typedef struct octavo_token_log_prob {
  int32_t id;
  int32_t reserved0;
  double log_prob;
} octavo_token_log_prob;

/** A token of an answer, as soon as it is chosen. The library sets struct_size; what it points to is borrowed during
 * the call. */
typedef struct octavo_token_event {
  size_t struct_size;
  size_t sequence; /**< of a batch; 0 of one prompt */
  int32_t id;
  int32_t top_count;                /**< options.top_log_probs */
  const char* text;                 /**< what became complete; may be "" */
  size_t text_size;                 /**< bytes of it, without the 0 at its end */
  double log_prob;                  /**< NaN unless options.log_probs */
  const octavo_token_log_prob* top; /**< [top_count], falling; of equal ones the lowest id first */
} octavo_token_event;
/** Anything but 0 ends that sequence. */
typedef int32_t (*octavo_event_fn)(const octavo_token_event* event, void* user_data);

/** Called before each token is chosen, with prompt and answer so far, and the model's logits, which it may change:
 * bias, penalties and sampling then act on those. Anything but 0 ends that sequence, without another token. */
typedef int32_t (*octavo_logits_fn)(size_t sequence, const int32_t* history, size_t history_size, float* logits,
                                    size_t vocab_size, void* user_data);

/** Called per generated token with its id and the text that became complete (may be ""); borrowed during the call.
 * Anything but 0 ends the generation. */
typedef int32_t (*octavo_token_fn)(int32_t token, const char* text, void* user_data);

enum { OCTAVO_CACHE_ON = 0, OCTAVO_CACHE_OFF = 1 };
/** Who says how tokens are chosen: generation_config.json, where a number of `temperature` to `min_p` that is not the
 * default is refused; greedy, with repetition_penalty alone; or these numbers. */
enum { OCTAVO_SAMPLING_FROM_MODEL = 0, OCTAVO_SAMPLING_GREEDY = 1, OCTAVO_SAMPLING_ON = 2 };
enum { OCTAVO_FINISH_STOP = 0, OCTAVO_FINISH_LENGTH = 1, OCTAVO_FINISH_CANCELLED = 2 };
/** Whose pixels boxes are in: the picture's as the model saw it, after resizing (what models write), or its own. */
enum { OCTAVO_BOXES_MODEL = 0, OCTAVO_BOXES_ORIGINAL = 1 };

enum { OCTAVO_PREFILL_WHOLE = -1 };
/** Keys and values of past prompts and answers, and the rows of past pictures, so that prompts that begin alike are
 * read once; answers are the same as without. Holds at most `kv_bytes` and `image_bytes`; 0 means 1 GiB and 256 MiB.
 * May be shared by threads and models. Release it when no call uses it. */
typedef struct octavo_prefix_cache octavo_prefix_cache;
OCTAVO_API octavo_status octavo_prefix_cache_create(size_t kv_bytes, size_t image_bytes, octavo_prefix_cache** out);
OCTAVO_API void octavo_prefix_cache_release(octavo_prefix_cache* cache);

/* What an answer must look like: tokens that cannot continue a text of the form are never chosen, so that an answer
 * that ends by itself parses (OCTAVO_FINISH_STOP; one that max_new_tokens cuts does not). Forms are immutable and may
 * be shared by threads and models. docs/output_form.md has what each kind takes. */
typedef struct octavo_output_form octavo_output_form;
/** White space outside of strings: one space or none after `,` and `:`; or line breaks and indentation as well. */
enum { OCTAVO_FORM_ONE_SPACE = 0, OCTAVO_FORM_LINES = 1 };
typedef struct octavo_form_options {
  size_t struct_size;
  int32_t spacing; /**< OCTAVO_FORM_ONE_SPACE or OCTAVO_FORM_LINES */
  int32_t fence;   /**< not 0: the JSON stands between "```json" and "```" */
} octavo_form_options;
#define OCTAVO_FORM_OPTIONS_INIT \
  { sizeof(octavo_form_options), 0, 0 }
/** JSON that a JSON Schema describes. UNSUPPORTED names a keyword that is not honoured. options may be NULL. */
OCTAVO_API octavo_status octavo_output_form_json_schema(const char* schema, const octavo_form_options* options,
                                                        octavo_output_form** out);
/** JSON like a template: `{"bbox_2d": [int, int, int, int], "label": string}`. options may be NULL. */
OCTAVO_API octavo_status octavo_output_form_example(const char* text, const octavo_form_options* options,
                                                    octavo_output_form** out);
/** Texts that a regular expression matches from begin to end. */
OCTAVO_API octavo_status octavo_output_form_pattern(const char* expression, octavo_output_form** out);
/** One of `count` texts. */
OCTAVO_API octavo_status octavo_output_form_choices(const char* const* texts, size_t count, octavo_output_form** out);
/** 1 where the text has the form, from begin to end. */
OCTAVO_API octavo_status octavo_output_form_matches(const octavo_output_form* form, const char* text, int32_t* out);
/** Answers and states that use it keep what they need. */
OCTAVO_API void octavo_output_form_release(octavo_output_form* form);

/** One answer as far as it is written, for hosts that choose tokens from logits themselves;
 * octavo_generate_options.form does all of it. One thread at a time. */
typedef struct octavo_form_state octavo_form_state;
/** `end_ids` [end_count]: tokens that end an answer, which are allowed exactly when the text is complete. */
OCTAVO_API octavo_status octavo_form_state_create(const octavo_model* model, const octavo_output_form* form,
                                                  const int32_t* end_ids, size_t end_count, octavo_form_state** out);
/** Sets the logits [vocab_size] of all tokens that may not come next to -INFINITY. */
OCTAVO_API octavo_status octavo_form_state_mask(const octavo_form_state* state, float* logits, size_t vocab_size);
/** INVALID_ARGUMENT for a token that may not come next. */
OCTAVO_API octavo_status octavo_form_state_take(octavo_form_state* state, int32_t token);
/** Whether the text has the form, and whether nothing may follow; either may be NULL. */
OCTAVO_API octavo_status octavo_form_state_complete(const octavo_form_state* state, int32_t* out_complete,
                                                    int32_t* out_exhausted);
OCTAVO_API void octavo_form_state_release(octavo_form_state* state);

typedef struct octavo_generate_options {
  size_t struct_size;
  int64_t max_new_tokens;    /**< tokens; 0: generation_config.json's max_new_tokens or max_length, else 256 */
  int32_t cache_mode;        /**< OCTAVO_CACHE_ON or OFF: slower, same tokens */
  int32_t sampling;          /**< OCTAVO_SAMPLING_*; FROM_MODEL follows generation_config.json */
  double temperature;        /**< with SAMPLING_ON; _INIT: 1.0; 0: greedy */
  double top_p;              /**< with SAMPLING_ON; _INIT: 1.0, which is off; 0: the best token alone */
  int64_t top_k;             /**< with SAMPLING_ON; _INIT: 50; 0: off */
  double repetition_penalty; /**< with GREEDY and ON; 0 and 1.0: off */
  uint64_t seed;
  octavo_token_fn on_token;
  void* user_data; /**< of all callbacks */
  const octavo_cancel* cancel;
  const octavo_decode_options* decode; /**< NULL: all defaults */
  int32_t control_tokens_as_text; /**< 1: "<|im_end|>" and its like in a prompt are text; 0: tokens, as transformers */
  int32_t boxes; /**< OCTAVO_BOXES_*, of boxes in the text; ORIGINAL needs pictures of one scale and no on_token */
  int64_t prefill_chunk; /**< tokens of a prompt that one call reads; 0: 512; OCTAVO_PREFILL_WHOLE: all */
  /** Speculation by prompt lookup, the same answer: at most so many tokens are guessed at a time, 1 to 7; 0: off. */
  int64_t lookup_draft;
  int64_t lookup_ngram;              /**< longest run of last tokens that is looked for; 0: 3 */
  octavo_prefix_cache* prefix_cache; /**< what earlier calls read is taken from there; NULL: none */
  int32_t cache_dtype; /**< of keys and values: OCTAVO_F32, OCTAVO_BF16 or OCTAVO_S8; less memory, answers may differ */
  int32_t reserved0;   /**< must be 0 */
  double min_p;        /**< with SAMPLING_ON; 0: off; keeps what has this part of the best token's probability */
  /** Texts that end the answer; the one that is complete first and what follows it are left out of the text. Callbacks
   * get no text that may yet turn out to begin one. */
  const char* const* stop_strings;
  size_t stop_string_count;
  const int32_t* stop_ids; /**< tokens that end the answer, besides generation_config.json's */
  size_t stop_id_count;
  const octavo_token_bias* logit_bias; /**< acts whether tokens are sampled or not; several of one id add up */
  size_t logit_bias_count;
  octavo_logits_fn on_logits; /**< NULL: none */
  octavo_event_fn on_event;   /**< instead of on_token, which it tells more than; for batches, too */
  int32_t ignore_eos;         /**< 1: the end tokens of generation_config.json do not end an answer */
  int32_t log_probs;          /**< 1: the result, and events, have the log-probability of each token of the answer */
  int32_t top_log_probs;      /**< and of so many best ones, up to the vocabulary; needs log_probs */
  int32_t reserved1;          /**< must be 0 */
  const octavo_output_form* form; /**< the form that answers have; NULL: any text */
} octavo_generate_options;
#define OCTAVO_GENERATE_OPTIONS_INIT                                                                                   \
  {                                                                                                                    \
    sizeof(octavo_generate_options), 0, 0, 0, 1.0, 1.0, 50, 1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0, 0, 0                                                                                      \
  }
/** For languages without the macro: sets all behind options->struct_size, which you set, to what the macro has. */
OCTAVO_API octavo_status octavo_generate_options_init(octavo_generate_options* options);

/** A picture of the prompt, in pixels. */
typedef struct octavo_picture_size {
  int64_t width, height;                   /**< as the model saw it, after resizing: what its boxes are in */
  int64_t original_width, original_height; /**< its own */
} octavo_picture_size;

typedef struct octavo_generate_result {
  size_t struct_size;
  int64_t prompt_tokens;
  int64_t new_tokens;
  int32_t finish_reason; /**< OCTAVO_FINISH_* */
  int32_t reserved0;
  double prefill_seconds; /**< vision and prompt */
  double decode_seconds;
  char* text;                    /**< yours, with tokens and log-probabilities: octavo_generate_result_release */
  octavo_picture_size* pictures; /**< set by you: room for picture_capacity entries, filled in order; may be NULL */
  size_t picture_capacity;       /**< set by you; pictures beyond it are counted, not written */
  size_t picture_count;          /**< pictures of the prompt */
  int64_t reused_tokens;         /**< of the prompt, which came from the prefix cache */
  int64_t drafted_tokens;        /**< that prompt lookup guessed */
  int64_t accepted_tokens;       /**< of them, those that the answer holds */
  size_t text_size;              /**< bytes of the text, without the 0 at its end */
  const int32_t* tokens;         /**< [new_tokens], the stop token included */
  const double* log_probs;       /**< [new_tokens]; NULL unless options.log_probs */
  const octavo_token_log_prob*
      top_log_probs; /**< [new_tokens, top_count], each row falling; NULL where there are none */
  size_t top_count;  /**< options.top_log_probs */
} octavo_generate_result;
#define OCTAVO_GENERATE_RESULT_INIT \
  { sizeof(octavo_generate_result), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/** Releases what a result owns, and sets those fields to NULL and 0; not the struct, nor `pictures`. The text is the
 * beginning of it all: octavo_string_release(text), as programs of 0.1 do, releases the same. */
OCTAVO_API void octavo_generate_result_release(octavo_generate_result* result);
/** One user message: image_count picture files, then the text, in the model's chat template. */
OCTAVO_API octavo_status octavo_generate(const octavo_model* model, const char* prompt, const char* const* image_paths,
                                         size_t image_count, const octavo_generate_options* options,
                                         octavo_generate_result* out_result);
/** `count` user messages as one batch, each answered as octavo_generate would: prompts[i] with image_counts[i] pictures
 * image_paths[i][0 ..]; both may be NULL when there are none. Ragged: nothing is padded, and each weight is read once
 * per step. options->on_token must be NULL; on_event tells the sequences apart. image_paths without image_counts are
 * refused. out_results points to `count` initialised results; the text of each is
 * yours. All are written, or, when anything fails, none; the message names the sequence. */
OCTAVO_API octavo_status octavo_generate_batch(const octavo_model* model, const char* const* prompts,
                                               const char* const* const* image_paths, const size_t* image_counts,
                                               size_t count, const octavo_generate_options* options,
                                               octavo_generate_result* out_results);

/* ---- 2. What is asked: pictures, messages, prompts ------------------------------------------------------------- */

/** A picture: 8 bits a channel, RGB. Immutable, may be shared by threads. */
typedef struct octavo_image octavo_image;
/** From a picture file. options may be NULL. */
OCTAVO_API octavo_status octavo_image_open(const char* path, const octavo_decode_options* options, octavo_image** out);
/** From the bytes of a picture file, which are not needed afterwards. options may be NULL. */
OCTAVO_API octavo_status octavo_image_decode(const void* bytes, size_t size, const octavo_decode_options* options,
                                             octavo_image** out);

/** How pixels lie in memory: rows of 8-bit samples, the upper row first. */
typedef struct octavo_pixel_layout {
  size_t struct_size;
  int64_t width, height; /**< pixels, 1 to 1000000 */
  int32_t channels;      /**< 1 grey, 3 RGB, 4 RGB and alpha (not multiplied in); 0 means 3 */
  int32_t transparency;  /**< OCTAVO_TRANSPARENCY_*: with 4 channels, composited on white, or alpha left out */
  int64_t row_stride;    /**< bytes from a row to the next; 0 means width * channels */
} octavo_pixel_layout;
#define OCTAVO_PIXEL_LAYOUT_INIT \
  { sizeof(octavo_pixel_layout), 0, 0, 0, 0, 0 }
/** From `size` bytes of pixels, which are copied. INVALID_ARGUMENT where the layout needs more. */
OCTAVO_API octavo_status octavo_image_from_pixels(const void* pixels, size_t size, const octavo_pixel_layout* layout,
                                                  octavo_image** out);
/** In pixels; either may be NULL. */
OCTAVO_API octavo_status octavo_image_size(const octavo_image* image, int64_t* out_width, int64_t* out_height);
/** u8 [height, width, 3], RGB, rows without gaps; borrowed while the image lives. */
OCTAVO_API octavo_status octavo_image_pixels(const octavo_image* image, const uint8_t** out);
OCTAVO_API void octavo_image_release(octavo_image* image);

/** A conversation: messages with a role and parts, in order. One thread at a time. */
typedef struct octavo_messages octavo_messages;
OCTAVO_API octavo_status octavo_messages_create(octavo_messages** out);
/** A message behind those that there are: `role` is "system", "user" or "assistant", or what else the model's chat
 * template knows. `text` is its first part; NULL: it begins without one. */
OCTAVO_API octavo_status octavo_messages_add(octavo_messages* messages, const char* role, const char* text);
/** A part behind those of the last message. INVALID_ARGUMENT when there is no message. */
OCTAVO_API octavo_status octavo_messages_add_text(octavo_messages* messages, const char* text);
/** The same with a picture, which is shared, not copied: you may release it. */
OCTAVO_API octavo_status octavo_messages_add_image(octavo_messages* messages, const octavo_image* image);
/** The same from JSON: an array of turns in the form of OpenAI or of transformers, pictures as paths or as data: URLs
 * (docs/samples.md). Reads the picture files that it names, relative to `folder` (NULL: to where the process is), so it
 * is not for JSON of strangers. options may be NULL. */
OCTAVO_API octavo_status octavo_messages_from_json(const char* json, const char* folder,
                                                   const octavo_decode_options* options, octavo_messages** out);
OCTAVO_API void octavo_messages_release(octavo_messages* messages);

typedef struct octavo_chat_options {
  size_t struct_size;
  int32_t no_generation_prompt;   /**< 1: ends behind the last message, not with the beginning of an answer */
  int32_t add_vision_id;          /**< 1: "Picture 1: " before each picture, where the template knows it */
  int32_t control_tokens_as_text; /**< 1: "<|im_end|>" and its like in a text are text; 0: tokens, as transformers */
  int32_t reserved0;              /**< must be 0 */
} octavo_chat_options;
#define OCTAVO_CHAT_OPTIONS_INIT \
  { sizeof(octavo_chat_options), 0, 0, 0, 0 }
/** The text of the prompt that the model's chat template makes of the messages, each picture a single pad. Yours:
 * octavo_string_release. options may be NULL. */
OCTAVO_API octavo_status octavo_chat_render(const octavo_model* model, const octavo_messages* messages,
                                            const octavo_chat_options* options, char** out_text);

/** What a model reads: token ids, and the pictures among them. Immutable, may be shared by threads and used again. */
typedef struct octavo_prompt octavo_prompt;
/** From messages: rendered, tokenized, pictures resized and cut into patches for this model. options may be NULL. The
 * messages may be released. */
OCTAVO_API octavo_status octavo_prompt_create(const octavo_model* model, const octavo_messages* messages,
                                              const octavo_chat_options* options, octavo_prompt** out);
/** From token ids, without pictures. Whether a model knows them is checked when it reads them. */
OCTAVO_API octavo_status octavo_prompt_from_ids(const int32_t* ids, size_t count, octavo_prompt** out);
/** Its token ids, a picture's pad as many times as it has tokens; borrowed while the prompt lives. */
OCTAVO_API octavo_status octavo_prompt_ids(const octavo_prompt* prompt, const int32_t** out_ids, size_t* out_count);
/** The pictures' sizes, at most `capacity` written (`pictures` may be NULL where it is 0); *out_count counts all. */
OCTAVO_API octavo_status octavo_prompt_pictures(const octavo_prompt* prompt, octavo_picture_size* pictures,
                                                size_t capacity, size_t* out_count);
OCTAVO_API void octavo_prompt_release(octavo_prompt* prompt);

/** As octavo_generate. What is said of reading the prompt, `decode` and control_tokens_as_text, must be 0. */
OCTAVO_API octavo_status octavo_generate_prompt(const octavo_model* model, const octavo_prompt* prompt,
                                                const octavo_generate_options* options,
                                                octavo_generate_result* out_result);
/** As octavo_generate_batch: `count` prompts as one batch. */
OCTAVO_API octavo_status octavo_generate_prompts(const octavo_model* model, const octavo_prompt* const* prompts,
                                                 size_t count, const octavo_generate_options* options,
                                                 octavo_generate_result* out_results);

/* ---- 3. Text and tokens ---------------------------------------------------------------------------------------- */

/** How many ids a model gives logits of: the width of what octavo_logits_fn sees. */
OCTAVO_API octavo_status octavo_model_vocab_size(const octavo_model* model, int64_t* out);
/** The ids of a text, without a chat template; at most `capacity` written (`ids` may be NULL where it is 0), *out_count
 * counts all. control_tokens_as_text: as in octavo_chat_options. */
OCTAVO_API octavo_status octavo_tokenize(const octavo_model* model, const char* text, int32_t control_tokens_as_text,
                                         int32_t* ids, size_t capacity, size_t* out_count);
/** The text of ids, special ones left out where skip_special is not 0; bytes that are no UTF-8 become U+FFFD, ids
 * outside the vocabulary nothing. Yours: octavo_string_release. *out_size (may be NULL): its bytes, without the 0 at
 * its end. */
OCTAVO_API octavo_status octavo_detokenize(const octavo_model* model, const int32_t* ids, size_t count,
                                           int32_t skip_special, char** out_text, size_t* out_size);
/** The id of a token as the vocabulary spells it, "<|im_end|>" or "cat". NOT_FOUND where there is none. */
OCTAVO_API octavo_status octavo_token_id(const octavo_model* model, const char* token, int32_t* out_id);
/** The bytes that a token stands for, which may be a part of a character: *out_size of them, and a 0. Yours:
 * octavo_string_release. NOT_FOUND for an id without a token. */
OCTAVO_API octavo_status octavo_token_bytes(const octavo_model* model, int32_t id, char** out_bytes, size_t* out_size);
/** *out: 1 where skip_special leaves the token out, else 0. */
OCTAVO_API octavo_status octavo_token_is_special(const octavo_model* model, int32_t id, int32_t* out);

/** The text of an answer whose tokens come one by one: whole characters alone. One thread at a time. */
typedef struct octavo_text_stream octavo_text_stream;
OCTAVO_API octavo_status octavo_text_stream_create(const octavo_model* model, int32_t skip_special,
                                                   octavo_text_stream** out);
/** *out_text: what became complete, may be ""; borrowed until the next call with this stream. */
OCTAVO_API octavo_status octavo_text_stream_push(octavo_text_stream* stream, int32_t id, const char** out_text);
/** What was held back, bytes that are no UTF-8 as U+FFFD. The stream then begins anew. */
OCTAVO_API octavo_status octavo_text_stream_finish(octavo_text_stream* stream, const char** out_text);
OCTAVO_API void octavo_text_stream_release(octavo_text_stream* stream);

/* ---- 4. Sessions: several turns on one cache ------------------------------------------------------------------- */

/** A conversation's state: its tokens, and their keys and values, each read once. One thread at a time; distinct
 * sessions are independent, and may share a model, whose handle they outlive. Calls that read are cancelled through
 * octavo_cancel_use. */
typedef struct octavo_session octavo_session;
typedef struct octavo_session_options {
  size_t struct_size;
  int64_t capacity;      /**< tokens that it can hold; 0: 4096, or what the model takes where that is less */
  int64_t prefill_chunk; /**< tokens of a prompt that one call reads; 0: 512; OCTAVO_PREFILL_WHOLE: all */
  int32_t cache_dtype; /**< of keys and values: OCTAVO_F32, OCTAVO_BF16 or OCTAVO_S8; less memory, answers may differ */
  int32_t reserved0;   /**< must be 0 */
} octavo_session_options;
#define OCTAVO_SESSION_OPTIONS_INIT \
  { sizeof(octavo_session_options), 0, 0, 0, 0 }
/** options may be NULL. */
OCTAVO_API octavo_status octavo_session_create(const octavo_model* model, const octavo_session_options* options,
                                               octavo_session** out);
/** Behind what it holds. If it fails, the session is as before. */
OCTAVO_API octavo_status octavo_session_feed(octavo_session* session, const octavo_prompt* prompt);
OCTAVO_API octavo_status octavo_session_feed_ids(octavo_session* session, const int32_t* ids, size_t count);
/** Makes `whole`, a conversation from its beginning, what the session holds, and reads as little as that takes: the
 * longest beginning that they have in common stays (pictures are known by their pixels), the rest is fed. So a chat
 * adds to its messages, makes a prompt of all of them, continues with that, and generates. *out_reused (may be NULL)
 * counts the tokens that were not read again. If it fails, the session is as before, or holds the common beginning. */
OCTAVO_API octavo_status octavo_session_continue(octavo_session* session, const octavo_prompt* whole,
                                                 int64_t* out_reused);
/** prompts[i] behind what sessions[i] holds, all in one call, so that each weight is read once. INVALID_ARGUMENT where
 * one is given twice, or belongs to another model than the first. If it fails, all are as before. */
OCTAVO_API octavo_status octavo_sessions_feed(octavo_session* const* sessions, const octavo_prompt* const* prompts,
                                              size_t count);
/** An answer from here on; its tokens become part of the session. options (may be NULL) as for octavo_generate_prompt;
 * cache_mode OFF, a prefix_cache, and a cache_dtype or prefill_chunk that is not the session's are refused. If it
 * fails, the session is as before; cancelled, it holds the answer so far. */
OCTAVO_API octavo_status octavo_session_generate(octavo_session* session, const octavo_generate_options* options,
                                                 octavo_generate_result* out_result);
/** f32 [vocab], of the last token; borrowed until the next call on this session. out_count may be NULL. */
OCTAVO_API octavo_status octavo_session_logits(octavo_session* session, const float** out_logits, size_t* out_count);
/** What was fed and generated; borrowed until the session changes. Either may be NULL. */
OCTAVO_API octavo_status octavo_session_tokens(const octavo_session* session, const int32_t** out_ids,
                                               size_t* out_count);
/** Forgets all but the first `past` tokens. INVALID_ARGUMENT: more than it holds, or a place inside a picture. */
OCTAVO_API octavo_status octavo_session_truncate(octavo_session* session, int64_t past);
OCTAVO_API octavo_status octavo_session_reset(octavo_session* session); /**< holds nothing; keeps its memory */
/** An independent session that goes on from the same tokens. */
OCTAVO_API octavo_status octavo_session_fork(const octavo_session* session, octavo_session** out);
/** To a file, which is complete or as before. An old file is replaced when it is a saved session. */
OCTAVO_API octavo_status octavo_session_save(const octavo_session* session, const char* path);
/** A session that goes on bit for bit as the saved one would have. FORMAT: damaged, cut short, or no session;
 * INVALID_ARGUMENT: saved with another model, or more than `capacity` tokens (0: the capacity that it had);
 * UNSUPPORTED: of another version of the form. Models are the same when config.json, options and every value of their
 * weights are: the first save or restore of a model reads all its weights for that, once. */
OCTAVO_API octavo_status octavo_session_restore(const octavo_model* model, const char* path, int64_t capacity,
                                                octavo_session** out);
/** The same in memory; the bytes are yours: octavo_string_release. */
OCTAVO_API octavo_status octavo_session_to_bytes(const octavo_session* session, char** out_bytes, size_t* out_size);
OCTAVO_API octavo_status octavo_session_from_bytes(const octavo_model* model, const void* bytes, size_t size,
                                                   int64_t capacity, octavo_session** out);
OCTAVO_API void octavo_session_release(octavo_session* session);

/** How octavo_sampler_next chooses; the fields mean what they do in octavo_generate_options. */
typedef struct octavo_sampling_options {
  size_t struct_size;
  double temperature;        /**< _INIT: 1.0; 0: greedy */
  double top_p;              /**< _INIT: 1.0, which is off; 0: the best token alone */
  int64_t top_k;             /**< _INIT: 50; 0: off */
  double min_p;              /**< 0: off */
  double repetition_penalty; /**< 0 and 1.0: off */
  uint64_t seed;
} octavo_sampling_options;
#define OCTAVO_SAMPLING_OPTIONS_INIT \
  { sizeof(octavo_sampling_options), 1.0, 1.0, 50, 0, 1.0, 0 }
/** Chooses tokens one by one, for loops of your own: the draws of octavo_generate with the same options. One thread at
 * a time. */
typedef struct octavo_sampler octavo_sampler;
OCTAVO_API octavo_status octavo_sampler_create(const octavo_sampling_options* options, octavo_sampler** out);
/** The token that follows what the session holds; it is not fed. */
OCTAVO_API octavo_status octavo_sampler_next(octavo_sampler* sampler, octavo_session* session, int32_t* out_token);
OCTAVO_API void octavo_sampler_release(octavo_sampler* sampler);

/* ---- 5. Batches that sequences join and leave ------------------------------------------------------------------ */

/** Sequences that are generated together, each from when it joins to when it finishes or leaves: what a server needs.
 * Each gets the tokens that octavo_generate_prompt gives it alone. One thread at a time; distinct batches are
 * independent, and may share a model, whose handle they outlive. */
typedef struct octavo_batch octavo_batch;
typedef struct octavo_batch_options {
  size_t struct_size;
  int64_t max_sequences; /**< that run at once, the others wait for their turn; 0: 8 */
  int64_t prompt_tokens; /**< of prompts that one step reads at most, while others go on; 0: 256 */
} octavo_batch_options;
#define OCTAVO_BATCH_OPTIONS_INIT \
  { sizeof(octavo_batch_options), 0, 0 }
/** options may be NULL. */
OCTAVO_API octavo_status octavo_batch_create(const octavo_model* model, const octavo_batch_options* options,
                                             octavo_batch** out);
/** From the next step on. The prompt may be released. options (may be NULL) as for octavo_generate_prompt, but
 * prefill_chunk is the batch's; arrays that they point to are copied. Callbacks are called by octavo_batch_step, with
 * the sequence's user_data; on_event and on_logits get its number. Anything but 0 from them ends that sequence alone.
 * NULL callbacks: the answer comes with octavo_batch_take. */
OCTAVO_API octavo_status octavo_batch_join(octavo_batch* batch, const octavo_prompt* prompt,
                                           const octavo_generate_options* options, uint64_t* out_sequence);
/** Ends a sequence without a result. NOT_FOUND: it has finished or left. */
OCTAVO_API octavo_status octavo_batch_leave(octavo_batch* batch, uint64_t sequence);
/** A token for each that runs, or more of its prompt. *out_finished (may be NULL): sequences that have finished, and
 * were not taken yet. What goes wrong with one sequence is told when that is taken, and ends no other. */
OCTAVO_API octavo_status octavo_batch_step(octavo_batch* batch, size_t* out_finished);
/** The first of those that have finished: its number, OCTAVO_OK or the status of what ended it, the message of that
 * ("" for OK; borrowed until the next take; may be NULL), and its result, with what there was until then, which is
 * yours. NOT_FOUND when there is none. */
OCTAVO_API octavo_status octavo_batch_take(octavo_batch* batch, uint64_t* out_sequence, octavo_status* out_status,
                                           const char** out_message, octavo_generate_result* out_result);
/** Sequences that have joined, and neither finished nor left; of them, those that have not begun. Either may be NULL.
 */
OCTAVO_API octavo_status octavo_batch_size(const octavo_batch* batch, size_t* out_size, size_t* out_waiting);
OCTAVO_API void octavo_batch_release(octavo_batch* batch);

/* ---- 6. What is known of a directory without reading a weight -------------------------------------------------- */

/** Structure of a checkpoint directory from config.json and the safetensors headers alone. *out_problems counts the
 * fatal ones; *out_json (may be NULL) receives a document {"ok", "problems": [...]}. Where there is no
 * such directory, NOT_FOUND; what is wrong with one that is there stands in the document. */
OCTAVO_API octavo_status octavo_check(const char* model_dir, int64_t* out_problems, char** out_json);

typedef struct octavo_plan_options {
  size_t struct_size;
  const int64_t* image_sizes; /**< height, width, height, width, ...: pixels of the prompt's pictures */
  size_t image_count;         /**< 0 plans one picture of 448 x 448 where it fits */
  int64_t prompt_tokens;      /**< all of them, image tokens included; 0 means 64 and the images' */
  int64_t max_new_tokens;     /**< 0 means 256 */
  int64_t tensor_parallel;    /**< ranks of a serving engine; 0: not asked */
} octavo_plan_options;
#define OCTAVO_PLAN_OPTIONS_INIT \
  { sizeof(octavo_plan_options), 0, 0, 0, 0, 0 }
/** As octavo_check, for a prompt of your choice, and with the plan: *out_json receives {"ok", "problems": [...],
 * "tensor_parallel": [...], "plan": {"weight_bytes", "kv_cache_bytes_per_position", "calls": [{"kind", "past", "q_len",
 * "kv_len", "kv_cache_bytes", "peak_activation_bytes", "total_bytes", "steps": [{"module", "operation", "contract",
 * "dims", "inputs", "weights", "outputs"}]}]}}; "plan" is absent when config.json cannot be used. Reads no weight.
 * options may be NULL. Problems are told in the document, not by the status, a missing directory
 * among them. */
OCTAVO_API octavo_status octavo_plan(const char* model_dir, const octavo_plan_options* options, char** out_json);

/* ---- 7. Quantizing and verifying ------------------------------------------------------------------------------- */

typedef struct octavo_quantize_options {
  size_t struct_size;
  const char*
      recipe; /**< preset name, path of a recipe, or a recipe as JSON, beginning with "{"; NULL means "default" */
  const char* calibration; /**< samples file; NULL with `pictures`, and with recipes that need no samples */
  int64_t max_samples;     /**< 0 means all */
  int32_t overwrite;       /**< 0 refuses an output that exists; 1 replaces one that octavo wrote, and no other */
  int32_t reserved0;       /**< must be 0 */
  octavo_progress_fn progress;
  void* user_data;
  const octavo_cancel* cancel;
  const octavo_decode_options* decode; /**< of the samples' pictures; NULL: all defaults */
  const char* pictures;                /**< instead of calibration: a folder of pictures, */
  const char* picture_prompt;          /**< each asked about with this; NULL without pictures */
  int32_t skip_bad_samples;            /**< not 0: samples that cannot be used are left out, and listed in the report */
  int32_t reserved1;                   /**< must be 0 */
  int32_t math;      /**< OCTAVO_MATH_* of calibration (forward passes in float, X^T X); DEFAULT is BF16 here */
  int32_t reserved2; /**< must be 0 */
} octavo_quantize_options;
#define OCTAVO_QUANTIZE_OPTIONS_INIT \
  { sizeof(octavo_quantize_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/** Writes out_dir, complete or not at all. *out_json (may be NULL) receives the report. */
OCTAVO_API octavo_status octavo_quantize(const char* model_dir, const char* out_dir,
                                         const octavo_quantize_options* options, char** out_json);

typedef struct octavo_verify_options {
  size_t struct_size;
  const char* samples;    /**< samples file; NULL without `pictures`: built-in prompts, and no evaluation */
  int64_t max_samples;    /**< 0 means all */
  int64_t max_new_tokens; /**< 0 means 64 */
  octavo_progress_fn progress;
  void* user_data;
  const octavo_cancel* cancel;
  const char* profile; /**< strict, default, lenient or the path of a JSON profile; NULL means default */
  int32_t run_all;     /**< not 0: goes on after a step that failed */
  int32_t reserved0;   /**< must be 0 */
  const octavo_decode_options* decode; /**< of the samples' pictures; NULL: all defaults */
  const char* pictures;                /**< instead of samples: a folder of pictures, */
  const char* picture_prompt;          /**< each asked about with this; NULL without pictures */
  int32_t skip_bad_samples;            /**< not 0: samples that cannot be used are left out, and listed in the result */
  int32_t boxes;                       /**< OCTAVO_BOXES_*: what boxes in the expected answers are in */
  const octavo_model_options* model;   /**< how the quantized model is run; NULL: all defaults */
  int32_t cache_dtype;                 /**< of its cache: OCTAVO_F32, OCTAVO_BF16 or OCTAVO_S8 */
  int32_t reserved1;                   /**< must be 0 */
} octavo_verify_options;
#define OCTAVO_VERIFY_OPTIONS_INIT \
  { sizeof(octavo_verify_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/** Verifies step by step, from one forward pass to the samples, and stops with a diagnosis at the first that fails.
 * *out_passed: 1 when every step passed, else 0 (which is no failure of the call), also where the original answers so
 * badly that the samples allow no judgement: "verdict" in the JSON is then "not_judged". out_json (schema:
 * docs/verify.md) may be NULL. */
OCTAVO_API octavo_status octavo_verify(const char* original_dir, const char* quantized_dir,
                                       const octavo_verify_options* options, int32_t* out_passed, char** out_json);

/** As octavo_verify, and with the comparison and, where there are samples, the attribution on top: writes html_path,
 * which must end in .html, as one page that needs no network, and the same as JSON beside it under the ending .json
 * (schema: docs/report.md). Both are complete or absent; a place that cannot be written fails before the work. */
OCTAVO_API octavo_status octavo_report(const char* original_dir, const char* quantized_dir,
                                       const octavo_verify_options* options, const char* html_path,
                                       int32_t* out_passed);

typedef struct octavo_compare_options {
  size_t struct_size;
  int32_t skip_values; /**< 0 reads the weights; else headers and small files alone: swaps of equal shapes go unseen */
  int32_t reserved0;   /**< must be 0 */
  octavo_progress_fn progress;
  void* user_data;
  const octavo_cancel* cancel;
} octavo_compare_options;
#define OCTAVO_COMPARE_OPTIONS_INIT \
  { sizeof(octavo_compare_options), 0, 0, 0, 0, 0 }
/** Compares a quantized model with its original: shapes, types, config, files, values. *out_wrong counts the
 * differences that are neither expected nor harmless. *out_json (may be NULL) receives {"ok", "counts", "differences":
 * [{"class", "where", "what", "original", "quantized", "remedy"}], "tensors", "config", "files"}. options may be NULL.
 * A directory that cannot be read as a checkpoint fails. */
OCTAVO_API octavo_status octavo_compare(const char* original_dir, const char* quantized_dir,
                                        const octavo_compare_options* options, int32_t* out_wrong, char** out_json);

enum { OCTAVO_SUGGESTION_NOT_NEEDED = 0, OCTAVO_SUGGESTION_FOUND = 1, OCTAVO_SUGGESTION_OUT_OF_REACH = 2 };

typedef struct octavo_attribute_options {
  size_t struct_size;
  const char* samples;    /**< samples file; required, or `pictures` */
  int64_t max_samples;    /**< 0 means all */
  int64_t max_new_tokens; /**< 0 means 64 */
  const char* profile;    /**< whose thresholds for the evaluation must hold; NULL means default */
  int32_t exact;          /**< not 0: measures every module group end to end, three runs over the samples each */
  int32_t no_suggestion;  /**< not 0: no search for a recipe */
  octavo_progress_fn progress;
  void* user_data;
  const octavo_cancel* cancel;
  const octavo_decode_options* decode; /**< of the samples' pictures; NULL: all defaults */
  const char* pictures;                /**< instead of samples: a folder of pictures, */
  const char* picture_prompt;          /**< each asked about with this; NULL without pictures */
  int32_t skip_bad_samples;            /**< not 0: samples that cannot be used are left out, and listed in the result */
  int32_t boxes;                       /**< OCTAVO_BOXES_*: what boxes in the expected answers are in */
} octavo_attribute_options;
#define OCTAVO_ATTRIBUTE_OPTIONS_INIT \
  { sizeof(octavo_attribute_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/** Which module groups cost a quantized model its quality, and the cheapest ones to keep in W8A16 so that the
 * thresholds hold.
 * *out_suggestion: OCTAVO_SUGGESTION_*. *out_recipe (may be NULL) receives the recipe, JSON, to quantize anew with;
 * NULL unless one was found. *out_json (may be NULL; schema: docs/attribution.md) receives everything. */
OCTAVO_API octavo_status octavo_attribute(const char* original_dir, const char* quantized_dir,
                                          const octavo_attribute_options* options, int32_t* out_suggestion,
                                          char** out_recipe, char** out_json);

/* ---- 8. Watching what runs: traces ----------------------------------------------------------------------------- */

/** A line of text without its end, borrowed during the call, on the thread that works. */
typedef void (*octavo_line_fn)(const char* line, void* user_data);

typedef struct octavo_trace_options {
  size_t struct_size;
  int32_t values;           /**< not 0: statistics of every output, which reads them all once more */
  int32_t reserved0;        /**< must be 0 */
  octavo_line_fn on_record; /**< receives each record as it is made; path may be NULL then */
  void* user_data;
} octavo_trace_options;
#define OCTAVO_TRACE_OPTIONS_INIT \
  { sizeof(octavo_trace_options), 0, 0, 0, 0 }
/** Records what this thread runs from now on: one JSON line per operation, with module path, contract, bound dims and
 * shapes, written to the file `path`, which is replaced when the trace ends, or handed to on_record, or both. Meanwhile
 * the message of a broken contract carries the last operations. One trace per thread: INVALID_ARGUMENT when one is
 * running. options may be NULL. */
OCTAVO_API octavo_status octavo_trace_begin(const char* path, const octavo_trace_options* options);
/** Ends this thread's trace and completes the file. INVALID_ARGUMENT when none is running; IO when not everything could
 * be written (the trace has ended all the same). A thread that ends while tracing completes its file, too. */
OCTAVO_API octavo_status octavo_trace_end(void);

/* ---- 9. Parts: tensors ----------------------------------------------------------------------------------------- */

enum { OCTAVO_F32 = 0, OCTAVO_F16 = 1, OCTAVO_BF16 = 2, OCTAVO_S8 = 3, OCTAVO_U8 = 4, OCTAVO_S32 = 5, OCTAVO_I64 = 6 };

/** Row-major, outermost dimension first, at most 8 dimensions. */
typedef struct octavo_tensor octavo_tensor;
/** Zero-filled, owned by the handle. */
OCTAVO_API octavo_status octavo_tensor_create(int32_t dtype, const int64_t* dims, size_t rank, octavo_tensor** out);
/** Over your memory, which must outlive the handle and everything made from it; aligned to its element. */
OCTAVO_API octavo_status octavo_tensor_borrow(void* data, int32_t dtype, const int64_t* dims, size_t rank,
                                              octavo_tensor** out);
OCTAVO_API void octavo_tensor_release(octavo_tensor* tensor);
OCTAVO_API octavo_status octavo_tensor_dtype(const octavo_tensor* tensor, int32_t* out);
OCTAVO_API octavo_status octavo_tensor_rank(const octavo_tensor* tensor, size_t* out);
OCTAVO_API octavo_status octavo_tensor_dim(const octavo_tensor* tensor, size_t index, int64_t* out);
/** Elements from one index of a dimension to the next. Tensors that Octavo makes are row-major; those of DLPack need
 * not be. */
OCTAVO_API octavo_status octavo_tensor_stride(const octavo_tensor* tensor, size_t index, int64_t* out);
/** A row-major tensor of the same values: the same memory where it is row-major already, else a copy. */
OCTAVO_API octavo_status octavo_tensor_contiguous(const octavo_tensor* tensor, octavo_tensor** out);
/** First element, borrowed while the tensor lives, and the size in bytes (either may be NULL). INVALID_ARGUMENT for
 * data of a tensor that is read-only or not row-major: octavo_tensor_read, octavo_tensor_contiguous. */
OCTAVO_API octavo_status octavo_tensor_data(octavo_tensor* tensor, void** out_data, size_t* out_size_bytes);
/** The same for reading alone: of a read-only tensor, too, such as a weight that is mapped. */
OCTAVO_API octavo_status octavo_tensor_read(const octavo_tensor* tensor, const void** out_data, size_t* out_size_bytes);

/* DLPack: tensors shared with NumPy, PyTorch, JAX and others without a copy, on the CPU. The structs are those of
 * dlpack.h (https://github.com/dmlc/dlpack), which you need where you look into them. Versioned: DLPack 1.0 and later.
 * Types: f32, f16, bf16, int8, uint8, int32, int64, one lane. */
struct DLManagedTensor;
struct DLManagedTensorVersioned;
/** *out keeps the memory alive until its deleter is called, whatever becomes of `tensor`; it does not keep memory that
 * was borrowed (octavo_tensor_borrow) alive. Read-only tensors are marked so. */
OCTAVO_API octavo_status octavo_tensor_to_dlpack(const octavo_tensor* tensor, struct DLManagedTensorVersioned** out);
/** The older form, which has no mark for it: UNSUPPORTED for a read-only tensor. */
OCTAVO_API octavo_status octavo_tensor_to_dlpack_unversioned(const octavo_tensor* tensor, struct DLManagedTensor** out);
/** Takes `managed` over: its deleter is called when the last use of its memory ends. On failure it stays yours.
 * UNSUPPORTED: another device than the CPU, another type, a newer major version, negative strides. */
OCTAVO_API octavo_status octavo_tensor_from_dlpack(struct DLManagedTensorVersioned* managed, octavo_tensor** out);
OCTAVO_API octavo_status octavo_tensor_from_dlpack_unversioned(struct DLManagedTensor* managed, octavo_tensor** out);

/** The pixels of a picture file: *out u8 [height, width, 3], RGB. options may be NULL. */
OCTAVO_API octavo_status octavo_image_load(const char* path, const octavo_decode_options* options, octavo_tensor** out);

/* What a prompt becomes on its way through the model; uncached. */

/** The rows of the prompt's pictures, as the language model reads them: *out f32 [image tokens, hidden_size];
 * INVALID_ARGUMENT without a picture. */
OCTAVO_API octavo_status octavo_model_encode_images(const octavo_model* model, const octavo_prompt* prompt,
                                                    octavo_tensor** out);
/** What `count` layers of the language model give: out[i] f32 [L, hidden_size], before the final norm; layers[i] counts
 * from 0, or from the end with -1 and below. All are written, or none. */
OCTAVO_API octavo_status octavo_model_hidden_states(const octavo_model* model, const octavo_prompt* prompt,
                                                    const int64_t* layers, size_t count, octavo_tensor** out);
/** The same after the last layer and the final norm, which embeddings are pooled from: *out f32 [L, hidden_size], or,
 * pooled, [hidden_size]. */
enum { OCTAVO_POOLING_NONE = 0, OCTAVO_POOLING_MEAN = 1, OCTAVO_POOLING_LAST = 2 };
OCTAVO_API octavo_status octavo_model_last_hidden_state(const octavo_model* model, const octavo_prompt* prompt,
                                                        int32_t pooling, octavo_tensor** out);

/** Logits of every position of the same prompt, uncached: *out f32 [L, vocab_size]. For those who sample themselves. */
OCTAVO_API octavo_status octavo_model_logits(const octavo_model* model, const char* prompt,
                                             const char* const* image_paths, size_t image_count, octavo_tensor** out);
/** The same of a prompt. */
OCTAVO_API octavo_status octavo_model_logits_prompt(const octavo_model* model, const octavo_prompt* prompt,
                                                    octavo_tensor** out);

/* ---- 10. Parts: shape contracts -------------------------------------------------------------------------------- */

/** Checks `count` named tensors against a contract such as "linear: x[M,K] w[N,K] -> y[M,N]". A NULL tensor is an
 * absent optional argument. `module_path` (may be NULL) is quoted in the message. Letters that no argument shows come
 * as dim_names and dim_values. */
OCTAVO_API octavo_status octavo_contract_check(const char* contract, const char* module_path, const char* const* names,
                                               const octavo_tensor* const* tensors, size_t count,
                                               const char* const* dim_names, const int64_t* dim_values,
                                               size_t dim_count);

/* ---- 11. Parts: GPTQ of one layer ------------------------------------------------------------------------------ */

/** H = 2/n sum x^T x over n samples, each of which is one octavo_hessian_add. */
typedef struct octavo_hessian octavo_hessian;
OCTAVO_API octavo_status octavo_hessian_create(int64_t in_features, octavo_hessian** out);
OCTAVO_API octavo_status octavo_hessian_add(octavo_hessian* hessian, const octavo_tensor* x); /**< x[T,K] f32 */
OCTAVO_API void octavo_hessian_release(octavo_hessian* hessian);

enum { OCTAVO_METHOD_GPTQ = 0, OCTAVO_METHOD_RTN = 1 };
typedef struct octavo_gptq_options {
  size_t struct_size;
  int32_t method;       /**< OCTAVO_METHOD_* */
  int32_t no_act_order; /**< 0 quantizes columns in order of falling diag(H) */
  double damp_percent;  /**< 0 means 0.01 */
  int64_t block_size;   /**< columns; 0 means 128 */
  int32_t scale_dtype; /**< OCTAVO_F32, BF16 or F16: what scales are rounded to before quantizing; still given as f32 */
  int32_t reserved0;   /**< must be 0 */
} octavo_gptq_options;
#define OCTAVO_GPTQ_OPTIONS_INIT \
  { sizeof(octavo_gptq_options), 0, 0, 0, 0, 0, 0 }
typedef struct octavo_gptq_result {
  size_t struct_size;
  double loss;     /**< tr((W-Q) H (W-Q)^T) */
  double rtn_loss; /**< the same for round-to-nearest */
  double damp_used;
  int64_t dead_columns;
} octavo_gptq_result;
#define OCTAVO_GPTQ_RESULT_INIT \
  { sizeof(octavo_gptq_result), 0, 0, 0, 0 }
/** weight[N,K] f32|bf16|f16 -> *out_weight s8 [N,K], *out_scales f32 [N]. The Hessian
 * takes no more rows then, but may serve other weights of the same input. With METHOD_RTN it may be NULL: the losses
 * are then those of H = I, else those of the Hessian, as with METHOD_GPTQ. out_result may be NULL. */
OCTAVO_API octavo_status octavo_gptq_quantize_layer(const octavo_tensor* weight, octavo_hessian* hessian,
                                                    const octavo_gptq_options* options, octavo_tensor** out_weight,
                                                    octavo_tensor** out_scales, octavo_gptq_result* out_result);

/* ---- 12. Parts: the int8 linear -------------------------------------------------------------------------------- */

/** y = x W^T + b with per-token int8 activations. Packed at creation; the tensors may be released after. */
typedef struct octavo_linear octavo_linear;
/** weight[N,K] s8, weight_scale[N] f32|bf16, bias[N] f32|bf16 or NULL. */
OCTAVO_API octavo_status octavo_linear_w8a8_create(const octavo_tensor* weight, const octavo_tensor* weight_scale,
                                                   const octavo_tensor* bias, octavo_linear** out);
/** x[M,K] f32 -> *out_y, y[M,N] f32. */
OCTAVO_API octavo_status octavo_linear_forward(const octavo_linear* linear, const octavo_tensor* x,
                                               octavo_tensor** out_y);
OCTAVO_API void octavo_linear_release(octavo_linear* linear);
/** y = x W^T + b over int8 weights with float activations: for inputs that int8 cannot carry. Tensors as above,
 * weight_scale f16 as well; the weight is copied, so that the tensors may be released after. */
OCTAVO_API octavo_status octavo_linear_w8a16_create(const octavo_tensor* weight, const octavo_tensor* weight_scale,
                                                    const octavo_tensor* bias, octavo_linear** out);

/* ---- 13. Parts: a calibration loop of your own ----------------------------------------------------------------- */

/** A model as two towers of blocks, loaded one at a time. Immutable. May be shared by threads. */
typedef struct octavo_blocks octavo_blocks;
/** One block, resident until it is released. One thread at a time. */
typedef struct octavo_block octavo_block;
/** The hidden rows of one prompt on their way through the blocks of a tower. One thread at a time. */
typedef struct octavo_block_state octavo_block_state;
enum { OCTAVO_TOWER_VISION = 0, OCTAVO_TOWER_LANGUAGE = 1 };

/** Of an opened model, which may be released. */
OCTAVO_API octavo_status octavo_blocks_create(const octavo_model* model, octavo_blocks** out);
OCTAVO_API octavo_status octavo_blocks_count(const octavo_blocks* blocks, int32_t tower, int64_t* out);
/** The prompt's pictures in front of the vision tower. INVALID_ARGUMENT without a picture. */
OCTAVO_API octavo_status octavo_blocks_begin_vision(const octavo_blocks* blocks, const octavo_prompt* prompt,
                                                    octavo_block_state** out);
/** Behind the last block of the vision tower: *out f32 [image tokens, hidden_size]. */
OCTAVO_API octavo_status octavo_blocks_finish_vision(const octavo_blocks* blocks, const octavo_block_state* state,
                                                     octavo_tensor** out);
/** The prompt in front of the language model. `vision`: the rows of its pictures; NULL without pictures. */
OCTAVO_API octavo_status octavo_blocks_begin_language(const octavo_blocks* blocks, const octavo_prompt* prompt,
                                                      const octavo_tensor* vision, octavo_block_state** out);
OCTAVO_API void octavo_blocks_release(octavo_blocks* blocks);

/** A copy, whose rows go on by themselves: calibration runs a block twice. */
OCTAVO_API octavo_status octavo_block_state_clone(const octavo_block_state* state, octavo_block_state** out);
/** The rows: *out f32 [L, hidden_size of the tower], a copy. */
OCTAVO_API octavo_status octavo_block_state_hidden(const octavo_block_state* state, octavo_tensor** out);
OCTAVO_API void octavo_block_state_release(octavo_block_state* state);

OCTAVO_API octavo_status octavo_block_load(const octavo_blocks* blocks, int32_t tower, int64_t index,
                                           octavo_block** out);
typedef struct octavo_linear_info {
  size_t struct_size;
  const char* module_path; /**< "model.layers.0.self_attn.q_proj"; strings are borrowed while the block lives */
  const char* input_group; /**< linears of one group see the same input, and can share a Hessian */
  int64_t in_features, out_features;
  int32_t has_bias;
  int32_t reserved0;
} octavo_linear_info;
#define OCTAVO_LINEAR_INFO_INIT \
  { sizeof(octavo_linear_info), 0, 0, 0, 0, 0, 0 }
/** How many linears the block has, in the order in which they run. */
OCTAVO_API octavo_status octavo_block_linear_count(const octavo_block* block, size_t* out);
OCTAVO_API octavo_status octavo_block_linear(const octavo_block* block, size_t index, octavo_linear_info* out);
/** [out_features, in_features] as stored, read-only; INVALID_ARGUMENT once it is replaced. */
OCTAVO_API octavo_status octavo_block_weight(const octavo_block* block, const char* module_path, octavo_tensor** out);
/** [out_features] as stored; *out is NULL without a bias. */
OCTAVO_API octavo_status octavo_block_bias(const octavo_block* block, const char* module_path, octavo_tensor** out);
/** Sees the input of each group of linears just before it runs: x[M,K] f32, borrowed during the call, and the group's
 * first linear. Anything but 0 ends the run as CANCELLED. */
typedef int32_t (*octavo_block_input_fn)(const char* module_path, const char* input_group, const octavo_tensor* x,
                                         void* user_data);
/** Moves the rows behind the block. on_input may be NULL. After a failure the state is of no more use. */
OCTAVO_API octavo_status octavo_block_forward(const octavo_block* block, octavo_block_state* state,
                                              octavo_block_input_fn on_input, void* user_data);
/** The block runs `linear` there from now on, and lets go of the stored weight. The linear may be released. */
OCTAVO_API octavo_status octavo_block_replace(octavo_block* block, const char* module_path,
                                              const octavo_linear* linear);
OCTAVO_API void octavo_block_release(octavo_block* block);

enum { OCTAVO_SCHEME_W8A8 = 1, OCTAVO_SCHEME_W8A16 = 2 };
/** A quantized model directory as it is written: linears of yours, and all else as the model has it. One thread at a
 * time. */
typedef struct octavo_writer octavo_writer;
typedef struct octavo_writer_options {
  size_t struct_size;
  int32_t overwrite;        /**< 0 refuses an output that exists; 1 replaces one that octavo wrote, and no other */
  int32_t reserved0;        /**< must be 0 */
  uint64_t max_shard_bytes; /**< of tensor data; 0 means 5 GiB */
} octavo_writer_options;
#define OCTAVO_WRITER_OPTIONS_INIT \
  { sizeof(octavo_writer_options), 0, 0, 0 }
/** options may be NULL. UNSUPPORTED for a model that is quantized already. */
OCTAVO_API octavo_status octavo_writer_create(const char* model_dir, const char* out_dir,
                                              const octavo_writer_options* options, octavo_writer** out);
/** weight[N,K] s8, scales[N] f32, of octavo_gptq_quantize_layer with the model's type (octavo_model_describe: "dtype")
 * as scale_dtype: INVALID_ARGUMENT for scales that would be rounded. Copied. scheme: OCTAVO_SCHEME_*. */
OCTAVO_API octavo_status octavo_writer_add(octavo_writer* writer, const char* module_path, int32_t scheme,
                                           const octavo_tensor* weight, const octavo_tensor* scales);
/** Writes the rest; out_dir is complete then. After a failure the writer is of no more use, and nothing is left of
 * out_dir. UNSUPPORTED where linears that share an input have different schemes. */
OCTAVO_API octavo_status octavo_writer_finish(octavo_writer* writer);
/** Without octavo_writer_finish, nothing is left of out_dir. */
OCTAVO_API void octavo_writer_release(octavo_writer* writer);

/* ---- 14. Parts: attention with a cache ------------------------------------------------------------------------- */

typedef struct octavo_kv_cache octavo_kv_cache;
OCTAVO_API octavo_status octavo_kv_cache_create(int64_t num_layers, int64_t num_kv_heads, int64_t head_dim,
                                                int64_t capacity, octavo_kv_cache** out); /**< float32 */
/** The same of OCTAVO_F32, OCTAVO_BF16 or OCTAVO_S8, the last with a scale per position and head: less memory, and
 * attention within the error that docs/attention.md states. INVALID_ARGUMENT for any other. */
OCTAVO_API octavo_status octavo_kv_cache_create_typed(int64_t num_layers, int64_t num_kv_heads, int64_t head_dim,
                                                      int64_t capacity, int32_t dtype, octavo_kv_cache** out);
OCTAVO_API octavo_status octavo_kv_cache_length(const octavo_kv_cache* cache, int64_t* out); /**< committed positions */
/** After every layer was attended once: the new positions become past ones. */
OCTAVO_API octavo_status octavo_kv_cache_commit(octavo_kv_cache* cache, int64_t new_positions);
OCTAVO_API octavo_status octavo_kv_cache_truncate(octavo_kv_cache* cache, int64_t length);
OCTAVO_API void octavo_kv_cache_release(octavo_kv_cache* cache);

/** attention: q[B,Hq,Lq,D] k[B,Hkv,Lk,D] v[B,Hkv,Lk,D] mask?[B|1,Hq|1,Lq,Lk] -> out[B,Hq,Lq,D]
 * With a cache (then B is 1, and k and v hold the new positions only) the cache supplies `past`, the new keys are
 * appended to `layer`, and attention is causal. Without, it is causal when `causal` is not 0. mask (may be NULL):
 * additive f32, or u8 with 1 for visible; excludes `causal` and a cache. */
OCTAVO_API octavo_status octavo_attention(const octavo_tensor* q, const octavo_tensor* k, const octavo_tensor* v,
                                          const octavo_tensor* mask, int32_t causal, octavo_kv_cache* cache,
                                          int64_t layer, octavo_tensor** out);

/* ---- 15. Parts: boxes in answers ------------------------------------------------------------------------------- */

/** Left, upper, right and lower edge in pixels. */
typedef struct octavo_box {
  double x1, y1, x2, y2;
} octavo_box;
/** The boxes of an answer, in their order, in the pixels that it was written in: `"bbox_2d": [x1, y1, x2, y2]`, or four
 * numbers in brackets, or four alone. Of them, `capacity` are written; *out_count counts all, 0 where the answer has
 * none. */
OCTAVO_API octavo_status octavo_boxes_in(const char* text, octavo_box* out_boxes, size_t capacity, size_t* out_count);

#ifdef __cplusplus
}
#endif

#endif /* OCTAVO_H */
