// Captions of a folder of pictures, in batches.   captions MODEL_DIR FOLDER "Describe this picture."
#include <algorithm>
#include <cstdio>
#include <octavo/octavo.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: %s MODEL_DIR FOLDER PROMPT\n", argv[0]), 2;
  try {
    const octavo::Model model = octavo::Model::open(argv[1]);
    octavo::SampleSource source;
    source.pictures = argv[2];
    source.prompt = argv[3];
    source.skip_bad = true;  // one damaged picture does not end the job; it is listed below
    octavo::SampleSet set = octavo::read_samples(source);
    octavo::check_pictures(set, model.image_processor(), source.skip_bad);

    octavo::GenerateOptions options;
    options.max_new_tokens = 64;
    options.sampling = octavo::SamplingOptions{};  // greedy: the same captions every time
    // Eight at a time: every weight is read once for all eight. Nothing is padded, so pictures may differ in size.
    constexpr std::size_t kBatch = 8;
    for (std::size_t begin = 0; begin < set.samples.size(); begin += kBatch) {
      const std::size_t end = std::min(begin + kBatch, set.samples.size());
      std::vector<octavo::ModelInput> inputs;
      for (std::size_t i = begin; i < end; ++i) inputs.push_back(octavo::prepare_question(model, set.samples[i]));
      const std::vector<octavo::GenerateResult> results = model.generate(inputs, options);
      for (std::size_t i = begin; i < end; ++i)
        std::printf("%s\t%s\n", set.samples[i].where.c_str(), results[i - begin].text.c_str());
    }
    for (const octavo::SkippedSample& skipped : set.skipped)
      std::fprintf(stderr, "left out: %s\n", skipped.reason.c_str());
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
