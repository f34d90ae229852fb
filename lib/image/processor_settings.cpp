// What is done with each key of the picture processor's files. Source of the keys: image_processing_qwen2_vl.py (with
// _fast and _pil), image_processing_utils_fast.py and processing_utils.py of transformers 4.49 to 5.17.
#include <array>

#include "octavo/image.hpp"

namespace octavo {
namespace {

using enum SettingEffect;

constexpr std::string_view kNoCrop = "The processor of this model neither crops nor pads.";
constexpr std::string_view kVideo = "Of videos, which Octavo does not read.";
constexpr std::string_view kCall = "How the caller receives the arrays, not what is in them.";

constexpr std::array kPreprocessor{
    Setting{"image_processor_type", required,
            R"(["Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast", "Qwen2VLImageProcessorPil", )"
            R"("Qwen2_5_VLImageProcessor", "Qwen2_5_VLImageProcessorFast", null])",
            R"("CLIPImageProcessor")", "The class that prepares pictures."},
    Setting{"feature_extractor_type", required, R"(["Qwen2VLImageProcessor", null])", R"("CLIPFeatureExtractor")",
            "The older name of image_processor_type."},
    Setting{"processor_class", named, R"(["Qwen2_5_VLProcessor", "Qwen2VLProcessor", null])", R"("OtherProcessor")",
            "The class that joins pictures and text; both of Qwen do the same with pictures."},
    Setting{"do_resize", honoured, "", "false",
            "false: a picture must come with sides that are multiples of patch_size * merge_size."},
    Setting{"min_pixels", honoured, "", "50176", "Least area after resizing; stands above size.shortest_edge."},
    Setting{"max_pixels", honoured, "", "12544", "Largest area after resizing; stands above size.longest_edge."},
    Setting{"size.shortest_edge", honoured, "", "50176",
            "Least area after resizing, in pixels (not an edge). Without any limit: 3136, the class default."},
    Setting{"size.longest_edge", honoured, "", "12544",
            "Largest area after resizing, in pixels (not an edge). Without any limit: 1003520, the class default."},
    Setting{"size.height", required, "[null]", "224", "Resizes every picture to one size."},
    Setting{"size.width", required, "[null]", "224", "Resizes every picture to one size."},
    Setting{"size.max_height", required, "[null]", "224", "Bounds a side."},
    Setting{"size.max_width", required, "[null]", "224", "Bounds a side."},
    Setting{"size.min_pixels", required, "[null]", "3136", "transformers reads min_pixels beside size, not in it."},
    Setting{"size.max_pixels", required, "[null]", "12544", "transformers reads max_pixels beside size, not in it."},
    Setting{"resample", required, "[3]", "2", "Pillow's filter; 3 is bicubic."},
    Setting{"do_rescale", honoured, "", "false", "Whether levels are multiplied by rescale_factor."},
    Setting{"rescale_factor", honoured, "", "0.0078125", "1 / 255 by default."},
    Setting{"do_normalize", honoured, "", "false", "Whether image_mean is subtracted and image_std divided by."},
    Setting{"image_mean", honoured, "", "[0.5, 0.5, 0.5]", "Per colour, or one number for all."},
    Setting{"image_std", honoured, "", "[0.5, 0.5, 0.5]", "Per colour, or one number for all."},
    Setting{"do_convert_rgb", named, "[true]", "false", "Pictures are converted to RGB in any case."},
    Setting{"patch_size", honoured, "", "28", "Pixels of a patch's side; config.json's must be equal."},
    Setting{"temporal_patch_size", honoured, "", "1", "Frames of a patch; config.json's must be equal."},
    Setting{"merge_size", honoured, "", "4", "Patches of a merged group's side; config.json's must be equal."},
    Setting{"input_data_format", required, R"([null, "channels_first"])", R"("channels_last")",
            "Reads pictures with their colours in another dimension."},
    Setting{"auto_map", named, "[null]", R"({"AutoImageProcessor": "own.Processor"})",
            "Code beside the model, which transformers runs with trust_remote_code; Octavo runs its own."},
    Setting{"do_center_crop", no_matter, "", "true", kNoCrop},
    Setting{"crop_size", no_matter, "", R"({"height": 8, "width": 8})", kNoCrop},
    Setting{"do_pad", no_matter, "", "true", kNoCrop},
    Setting{"pad_size", no_matter, "", R"({"height": 8, "width": 8})", kNoCrop},
    Setting{"default_to_square", no_matter, "", "false", "How a size of one number is read; this model has limits."},
    Setting{"data_format", no_matter, "", R"("channels_last")", kCall},
    Setting{"device", no_matter, "", R"("cuda")", kCall},
    Setting{"disable_grouping", no_matter, "", "true", kCall},
    Setting{"return_tensors", no_matter, "", R"("pt")", kCall},
    Setting{"model_input_names", no_matter, "", R"(["x"])", kCall},
    Setting{"_valid_processor_keys", no_matter, "", R"(["x"])", kCall},
    Setting{"image_seq_length", no_matter, "", "7", "This model's processor does not read it."},
    Setting{"video_processor_type", no_matter, "", R"("Other")", kVideo},
    Setting{"video_metadata", no_matter, "", "{}", kVideo},
    Setting{"return_metadata", no_matter, "", "true", kVideo},
    Setting{"do_sample_frames", no_matter, "", "true", kVideo},
    Setting{"fps", no_matter, "", "4", kVideo},
    Setting{"num_frames", no_matter, "", "4", kVideo},
    Setting{"min_frames", no_matter, "", "8", kVideo},
    Setting{"max_frames", no_matter, "", "8", kVideo},
    Setting{"max_video_tokens", no_matter, "", "8", kVideo},
};

constexpr std::array kProcessor{
    Setting{"image_processor", honoured, "", "{}",
            "As preprocessor_config.json, and before it: transformers 5 writes it here."},
    Setting{"video_processor", no_matter, "", R"({"patch_size": 28})", kVideo},
    Setting{"feature_extractor", no_matter, "", "{}", "Of sound, which this model does not read."},
    Setting{"processor_class", named, R"(["Qwen2_5_VLProcessor", "Qwen2VLProcessor", null])", R"("OtherProcessor")",
            "The class that joins pictures and text; both of Qwen do the same with pictures."},
    Setting{"chat_template", named, "[null]", R"("{{ messages }}")",
            "The template is taken from chat_template.jinja, chat_template.json or tokenizer_config.json."},
    Setting{"auto_map", named, "[null]", R"({"AutoProcessor": "own.Processor"})",
            "Code beside the model, which transformers runs with trust_remote_code; Octavo runs its own."},
};

constexpr std::array kTables{SettingsTable{"preprocessor_config.json", kPreprocessor},
                             SettingsTable{"processor_config.json", kProcessor}};

}  // namespace

std::span<const SettingsTable> image_settings() { return kTables; }

}  // namespace octavo
